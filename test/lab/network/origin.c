// The program of the network tests' containers, linked statically; no shell needed.
//   origin                          serves: HTTP/1.1 with keep-alive on TCP 8080, and UDP 9000; each answer says which host answers and who asked.
//                                   On SIGTERM it takes no new connection, answers what it has begun with "Connection: close", and ends.
//   origin call tcp|udp ADDRESS PORT    asks once: prints the answer, or "refused", "silent" (2 s), "unreachable", and milliseconds
//   origin pull ADDRESS PORT SECONDS    reads what `/bulk` streams: prints megabytes a second
//   origin ask ADDRESS PORT TIMES       asks over one connection: prints the median of the answers' times in microseconds
//   origin spoof SOURCE ADDRESS PORT    sends a UDP packet under another's address
//   origin claim ADDRESS                says to all neighbours of eth0, by ARP, that another's address is here
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ending;
static volatile int busy;
static char name[65];

static void on_term(int signal) { (void)signal; ending = 1; }

static void *serve_one(void *argument) {
  int fd = (int)(long)argument, one = 1;
  struct sockaddr_in peer;
  socklen_t size = sizeof peer;
  getpeername(fd, (struct sockaddr *)&peer, &size);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  char in[16384];
  size_t have = 0;
  for (;;) {
    char *end;
    while (have == 0 || (in[have] = 0, (end = strstr(in, "\r\n\r\n")) == NULL)) {
      struct pollfd p = {fd, POLLIN, 0};
      if (poll(&p, 1, 100) == 0) {
        if (ending && have == 0) goto out;
        continue;
      }
      ssize_t n = read(fd, in + have, sizeof in - 1 - have);
      if (n <= 0) goto out;
      have += n;
      if (have == sizeof in - 1) goto out;
    }
    size_t used = end + 4 - in;
    if (strncmp(in, "GET /bulk ", 10) == 0) {
      static const char zeros[65536];
      while (!ending && write(fd, zeros, sizeof zeros) > 0) continue;
      break;
    }
    int close_after = ending || strstr(in, "onnection: close") != NULL || strstr(in, " HTTP/1.0\r\n") != NULL;
    char body[256], out[512];
    int length = snprintf(body, sizeof body, "host=%s\nclient=%s\n", name, inet_ntoa(peer.sin_addr));
    int total = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s", length, close_after ? "close" : "keep-alive", body);
    if (write(fd, out, total) != total || close_after) break;
    memmove(in, in + used, have - used);
    have -= used;
  }
out:
  shutdown(fd, SHUT_WR);
  close(fd);
  __atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static void *serve_udp(void *argument) {
  (void)argument;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(9000)}, peer;
  if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0) { perror("udp 9000"); exit(1); }
  for (;;) {
    char in[1500], out[256];
    socklen_t size = sizeof peer;
    ssize_t n = recvfrom(fd, in, sizeof in - 1, 0, (struct sockaddr *)&peer, &size);
    if (n < 0) continue;
    in[n] = 0;
    if (strncmp(in, "spoofed", 7) == 0) { printf("spoofed as %s\n", inet_ntoa(peer.sin_addr)); fflush(stdout); }
    int length = snprintf(out, sizeof out, "host=%s\nclient=%s\n", name, inet_ntoa(peer.sin_addr));
    sendto(fd, out, length, 0, (struct sockaddr *)&peer, size);
  }
}

static int serve(void) {
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  gethostname(name, sizeof name - 1);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080)};
  if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, 1024) != 0) { perror("tcp 8080"); return 1; }
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_create(&thread, &small, serve_udp, NULL);
  while (!ending) {
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 50) <= 0) continue;
    int client = accept(fd, NULL, NULL);
    if (client < 0) continue;
    __atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    if (pthread_create(&thread, &small, serve_one, (void *)(long)client) != 0) { close(client); __atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST); }
  }
  close(fd);
  for (int n = 0; busy > 0 && n < 100; n++) usleep(50000);
  return 0;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static const char *fault(void) {
  switch (errno) {
    case ECONNREFUSED: case ECONNRESET: return "refused";
    case EINPROGRESS: case ETIMEDOUT: case EAGAIN: return "silent";
    default: return "unreachable";
  }
}

static int call(const char *kind, const char *address, int port) {
  int isTcp = strcmp(kind, "tcp") == 0;
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, address, &there.sin_addr);
  int fd = socket(AF_INET, isTcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  struct timeval patience = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  double start = now_ms();
  char answer[1024] = "";
  const char *said = answer;
  const char *question = isTcp ? "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" : "who";
  if (connect(fd, (struct sockaddr *)&there, sizeof there) != 0 || write(fd, question, strlen(question)) < 0) said = fault();
  else {
    ssize_t have = 0, n = 0;
    while (have < (ssize_t)sizeof answer - 1 && (n = read(fd, answer + have, sizeof answer - 1 - have)) > 0) { have += n; answer[have] = 0; if (!isTcp) break; }
    if (have == 0) said = n < 0 ? fault() : "closed";
    else if (isTcp && (said = strstr(answer, "\r\n\r\n")) != NULL) said += 4;
    else if (isTcp) said = answer;
  }
  double took = now_ms() - start;
  for (const char *c = said; *c; c++) putchar(*c == '\n' ? ' ' : *c);
  printf(" %.0f\n", took);
  return 0;
}

static int connected(const char *address, int port) {
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, address, &there.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&there, sizeof there) != 0) { perror("connect"); exit(1); }
  return fd;
}

static int pull(const char *address, int port, double seconds) {
  int fd = connected(address, port);
  static char in[262144];
  const char *question = "GET /bulk HTTP/1.1\r\n\r\n";
  if (write(fd, question, strlen(question)) < 0) return 1;
  double start = now_ms(), bytes = 0, took;
  do {
    ssize_t n = read(fd, in, sizeof in);
    if (n <= 0) return 1;
    bytes += n;
  } while ((took = now_ms() - start) < seconds * 1e3);
  printf("%.1f\n", bytes / took / 1e3);
  return 0;
}

static int by_value(const void *a, const void *b) { double x = *(const double *)a, y = *(const double *)b; return (x > y) - (x < y); }

static int ask(const char *address, int port, int times) {
  int fd = connected(address, port);
  double *took = calloc(times, sizeof *took);
  const char *question = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int n = 0; n < times; n++) {
    char in[1024];
    double start = now_ms();
    if (write(fd, question, strlen(question)) < 0 || read(fd, in, sizeof in) <= 0) return 1;
    took[n] = now_ms() - start;
  }
  qsort(took, times, sizeof *took, by_value);
  printf("%.1f\n", took[times / 2] * 1e3);
  return 0;
}

static int spoof(const char *source, const char *address, int port) {
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) { perror("raw"); return 1; }
  char packet[64] = {0};
  struct iphdr *ip = (struct iphdr *)packet;
  struct udphdr *udp = (struct udphdr *)(packet + sizeof *ip);
  const char *text = "spoofed";
  int length = sizeof *ip + sizeof *udp + strlen(text);
  memcpy(packet + sizeof *ip + sizeof *udp, text, strlen(text));
  ip->version = 4; ip->ihl = 5; ip->ttl = 64; ip->protocol = IPPROTO_UDP; ip->tot_len = htons(length);
  inet_pton(AF_INET, source, &ip->saddr);
  inet_pton(AF_INET, address, &ip->daddr);
  udp->source = htons(9999); udp->dest = htons(port); udp->len = htons(sizeof *udp + strlen(text));
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = ip->daddr};
  if (sendto(fd, packet, length, 0, (struct sockaddr *)&there, sizeof there) < 0) { printf("not sent: %s\n", strerror(errno)); return 0; }
  puts("sent");
  return 0;
}

/** An answer to everybody that nobody asked for: this address is here. */
static int claim(const char *address) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP));
  struct ifreq request = {.ifr_name = "eth0"};
  if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0) { perror("packet"); return 1; }
  struct __attribute__((packed)) {
    struct ethhdr head;
    struct arphdr arp;
    unsigned char from_mac[6], from[4], to_mac[6], to[4], rest[18];
  } frame = {.arp = {htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REPLY)}};
  memcpy(frame.head.h_source, request.ifr_hwaddr.sa_data, 6);
  memset(frame.head.h_dest, 0xff, 6);
  frame.head.h_proto = htons(ETH_P_ARP);
  memcpy(frame.from_mac, frame.head.h_source, 6);
  memset(frame.to_mac, 0xff, 6);
  inet_pton(AF_INET, address, frame.from);
  inet_pton(AF_INET, address, frame.to);
  struct sockaddr_ll there = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("eth0")};
  if (sendto(fd, &frame, sizeof frame, 0, (struct sockaddr *)&there, sizeof there) < 0) { printf("not sent: %s\n", strerror(errno)); return 0; }
  puts("sent");
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "call") == 0) return call(argv[2], argv[3], atoi(argv[4]));
  if (argc == 5 && strcmp(argv[1], "pull") == 0) return pull(argv[2], atoi(argv[3]), atof(argv[4]));
  if (argc == 5 && strcmp(argv[1], "ask") == 0) return ask(argv[2], atoi(argv[3]), atoi(argv[4]));
  if (argc == 5 && strcmp(argv[1], "spoof") == 0) return spoof(argv[2], argv[3], atoi(argv[4]));
  if (argc == 3 && strcmp(argv[1], "claim") == 0) return claim(argv[2]);
  return serve();
}
