#!/bin/sh
# The shop's API: who it is, and how often the store was asked, which only the store knows.
store=$(timeout 2 wget -q -O - "http://store:6379/?$QUERY_STRING") || store="store: does not answer"
printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
printf 'api: version=%s host=%s nonce=%s\n%s\n' "$SHOP_VERSION" "$(hostname)" "$QUERY_STRING" "$store"
