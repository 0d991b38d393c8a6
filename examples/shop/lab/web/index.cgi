#!/bin/sh
# The shop's page: who made it, the visitor's nonce and address (the ingress tells it), and the answer of an API, whichever node it is on.
api=$(timeout 5 wget -q -O - "http://api:8080/?$QUERY_STRING") || api="api: does not answer"
printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
printf 'web: version=%s host=%s nonce=%s client=%s\n%s\n' \
  "$SHOP_VERSION" "$(hostname)" "$QUERY_STRING" "${HTTP_X_FORWARDED_FOR:-$REMOTE_ADDR}" "$api"
