#!/bin/sh
# Installs davit from a release: picks the binary for this machine, checks it against SHA256SUMS, puts it in place in one move.
#
#   install.sh [--from DIR|URL] [--to DIR] [--agent linux-x64|linux-arm64]...
#
#   --from   where the binaries and SHA256SUMS are (default: the folder of this script)
#   --to     where davit goes (default: /usr/local/bin, or ~/.local/bin if that cannot be written)
#   --agent  also place the agent for nodes of another architecture beside it, for a coordinator
set -eu

die() {
  echo "install: $*" >&2
  exit 1
}

from=$(cd "$(dirname "$0")" && pwd)
to=
agents=
while [ $# -gt 0 ]; do
  case $1 in
    --from) from=${2:?--from needs a folder or an address}; shift 2 ;;
    --to) to=${2:?--to needs a folder}; shift 2 ;;
    --agent) agents="$agents ${2:?--agent needs a platform}"; shift 2 ;;
    -h | --help) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
    *) die "unknown option $1 (--help tells the others)" ;;
  esac
done

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) die "there is no davit for $(uname -s): Linux and macOS only" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) die "there is no davit for $(uname -m): x86_64 and arm64 only" ;;
esac

if [ -z "$to" ]; then
  if [ -w /usr/local/bin ]; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
fi
mkdir -p "$to" && [ -w "$to" ] || die "$to cannot be written: choose another with --to, or use sudo"
scratch=$(mktemp -d "$to/.davit-install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

fetch() { # NAME
  case $from in
    http://* | https://*) curl -fsSL --proto '=https,http' -o "$scratch/$1" "$from/$1" || die "cannot fetch $from/$1" ;;
    *) [ -f "$from/$1" ] && cp "$from/$1" "$scratch/$1" || die "there is no $from/$1" ;;
  esac
}
sha256() { # FILE
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}
place() { # NAME AS
  fetch "$1"
  expected=$(awk -v name="$1" '$2 == name { print $1 }' "$scratch/SHA256SUMS")
  [ -n "$expected" ] || die "SHA256SUMS says nothing of $1"
  [ "$(sha256 "$scratch/$1")" = "$expected" ] || die "$1 is not what SHA256SUMS says: nothing was installed"
  chmod 755 "$scratch/$1"
  mv -f "$scratch/$1" "$to/$2"
  echo "installed $to/$2"
}

fetch SHA256SUMS
place "davit-$os-$arch" davit
for agent in $agents; do place "davit-$agent" "davit-$agent"; done
"$to/davit" --help >/dev/null || die "$to/davit does not run here"
case :$PATH: in *:"$to":*) ;; *) echo "add $to to your PATH" ;; esac
