// The little of DER (ITU-T X.690) that certificates and requests for them are made of. Pure.

/** One value: its tag, the length of its content, its content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const digits = body.length < 0x100 ? [body.length] : [body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length, ...digits]), body]);
}

export function sequence(...items: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...items);
}

/** `[number]`, constructed. */
export function tagged(number: number, ...items: readonly Uint8Array[]): Uint8Array {
  return der(0xa0 | number, ...items);
}

/** "1.2.840.10045.4.3.2". */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

/** A whole number of any size, as big-endian bytes, not negative. */
export function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const trimmed = start === -1 ? Buffer.from([0]) : Buffer.from(bytes.subarray(start));
  return der(0x02, (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed);
}

export function bitString(bytes: Uint8Array): Uint8Array {
  return der(0x03, Buffer.from([0]), bytes);
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return der(0x04, bytes);
}

export function utf8(text: string): Uint8Array {
  return der(0x0c, Buffer.from(text, "utf8"));
}

export function truth(): Uint8Array {
  return der(0x01, Buffer.from([0xff]));
}

/** Milliseconds since 1970 as RFC 5280 wants them: two digits of the year until 2049. */
export function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d{3}/g, "");
  const isLate = Number(text.slice(0, 4)) >= 2050;
  return isLate ? der(0x18, Buffer.from(text)) : der(0x17, Buffer.from(text.slice(2)));
}

/** Lines of 64 characters between the marks of PEM. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
