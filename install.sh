#!/bin/sh
# Installs the davit binary for this machine, checked against SHA256SUMS. Nothing else: `davit install` makes the coordinator a service.
#
#   sh install.sh                      from dist/ beside this script (npm run build makes it)
#   sh install.sh DIRECTORY            from a directory that has SHA256SUMS and davit-<os>-<arch>
#   sh install.sh https://host/path    the same, over HTTPS (or HTTP, or file:)
#
#   PREFIX=/usr/local                  where it goes: $PREFIX/bin/davit
#   DAVIT_SHA256=…                     what SHA256SUMS itself must hash to, if you know it from elsewhere
set -eu

say() { printf 'install: %s\n' "$1"; }
fail() {
  printf 'install: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  way out: %s\n' "$2" >&2
  exit 1
}

platform() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "davit does not run on $(uname -s)" "use Linux, or macOS for the command line" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "davit does not run on $(uname -m)" "use x86_64 or arm64" ;;
  esac
  printf '%s-%s' "$os" "$arch"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -d ' ' -f 1
  else shasum -a 256 "$1" | cut -d ' ' -f 1
  fi
}

# fetch NAME TO
fetch() {
  case $from in
    http://* | https://* | file://*)
      if command -v curl >/dev/null; then curl -fsSL "$from/$1" -o "$2" || fail "fetch $from/$1: it could not be had"
      elif command -v wget >/dev/null; then wget -qO "$2" "$from/$1" || fail "fetch $from/$1: it could not be had"
      else fail "fetch $from/$1: neither curl nor wget is here" "fetch it by hand, then: sh install.sh DIRECTORY"
      fi ;;
    *)
      [ -f "$from/$1" ] || fail "there is no $from/$1" "npm run build makes it, or name another directory"
      cp "$from/$1" "$2" ;;
  esac
}

main() {
  [ $# -le 1 ] || fail "it takes one directory or URL"
  command -v sha256sum >/dev/null || command -v shasum >/dev/null ||
    fail "neither sha256sum nor shasum is here, so nothing can be checked" "install coreutils"
  from=${1:-$(dirname "$0")/dist}
  from=${from%/}
  prefix=${PREFIX:-/usr/local}
  name=davit-$(platform)
  target=$prefix/bin/davit

  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch" "$target.new.$$"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  fetch SHA256SUMS "$scratch/SHA256SUMS"
  if [ -n "${DAVIT_SHA256:-}" ] && [ "$(sha256 "$scratch/SHA256SUMS")" != "$DAVIT_SHA256" ]; then
    fail "SHA256SUMS is not the one that DAVIT_SHA256 means" "do not use what is there"
  fi
  expected=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$scratch/SHA256SUMS")
  [ -n "$expected" ] || fail "SHA256SUMS has no $name" "this release is not built for this machine"

  if [ -f "$target" ] && [ "$(sha256 "$target")" = "$expected" ]; then
    say "$target is current"
    return
  fi

  fetch "$name" "$scratch/davit"
  actual=$(sha256 "$scratch/davit")
  [ "$actual" = "$expected" ] || fail "$name has the hash $actual, not $expected as SHA256SUMS says" "nothing was installed; fetch it again, or do not use it"

  mkdir -p "$prefix/bin" || fail "cannot make $prefix/bin" "run it as root, or choose PREFIX=\$HOME/.local"
  chmod 755 "$scratch/davit"
  # into place by a rename, so that a davit that runs now is not disturbed
  cp "$scratch/davit" "$target.new.$$" || fail "cannot write into $prefix/bin" "run it as root, or choose PREFIX=\$HOME/.local"
  chmod 755 "$target.new.$$"
  mv -f "$target.new.$$" "$target"
  say "installed $target ($name)"
  case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) say "$prefix/bin is not in PATH" ;;
  esac
}

main "$@"
