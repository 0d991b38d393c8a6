#!/bin/sh
# The shop's store: one line in its volume for each visit.
echo "$QUERY_STRING" >>/data/visits
visits=$(wc -l </data/visits)
sync
printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
printf 'store: version=%s host=%s nonce=%s visits=%s\n' "$SHOP_VERSION" "$(hostname)" "$QUERY_STRING" "$visits"
