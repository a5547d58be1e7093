/** Writes a protobuf message by hand, of those few that Google's package doesn't bring. */

/** A field's number and its value: a text, or a message that is written already. */
export type Field = readonly [number: number, value: string | Uint8Array];

/** As in proto3 an empty text is left out. Numbers are below 16, so that a tag is one byte. */
export function messageOf(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      const bytes = Buffer.from(value);
      return value === '' ? [] : [Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes];
    }),
  );
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
