/** Whether the log beside a database can be what this engine left there, by the log's own checksums. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
const HEADER = 32;
const FRAME_HEADER = 24;
const BIG_ENDIAN = 0x377f0683;
const LITTLE_ENDIAN = 0x377f0682;

/** Frames are read so many at a time: a log can be larger than memory. */
const BATCH = 256;

/**
 * What is wrong with the log, if anything.
 *
 * SQLite takes what follows the first bad checksum for a transaction that a crash cut off. Each of
 * ours is on disk before the next one begins, so a crash leaves at most one behind such a place:
 * where there are more, they were acknowledged, and would be lost without a word.
 */
export function logProblem(database: string): string | undefined {
  const log = `${database}-wal`;
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size < HEADER) return undefined;
  if (statSync(database).size === 0) return 'it is empty, and its log is not';
  const file = openSync(log, 'r');
  try {
    const lost = commitsBehindDamage(file, size);
    return lost > 1 ? `its log is damaged, with ${lost} commits behind the damage` : undefined;
  } finally {
    closeSync(file);
  }
}

function commitsBehindDamage(file: number, size: number): number {
  const header = read(file, 0, HEADER);
  const magic = header.readUInt32BE(0);
  if (magic !== BIG_ENDIAN && magic !== LITTLE_ENDIAN) return 0;
  const pageSize = header.readUInt32BE(8);
  const frameSize = FRAME_HEADER + pageSize;
  if (!(pageSize >= 512 && pageSize <= 65_536)) return 0;
  const sum = magic === BIG_ENDIAN ? sumOf((at, bytes) => bytes.readUInt32BE(at)) : littleEndianSum;
  const salts = header.subarray(16, 24);
  let known: Sum = [header.readUInt32BE(24), header.readUInt32BE(28)];
  let isDamaged = false;
  let commits = 0;
  for (let at = HEADER; at + frameSize <= size; at += BATCH * frameSize) {
    const frames = read(file, at, Math.min(BATCH * frameSize, size - at));
    for (let start = 0; start + frameSize <= frames.length; start += frameSize) {
      const frame = frames.subarray(start, start + frameSize);
      // Left by an earlier round of the log.
      const isOld = !frame.subarray(8, 16).equals(salts);
      const written: Sum = [frame.readUInt32BE(16), frame.readUInt32BE(20)];
      const own = sum(sum(known, frame.subarray(0, 8)), frame.subarray(FRAME_HEADER));
      const isSound = !isOld && own[0] === written[0] && own[1] === written[1];
      if (!isSound) isDamaged = true;
      else if (isDamaged && frame.readUInt32BE(4) !== 0) commits++;
      // The next frame's goes on from here, be this page what was written or not.
      known = written;
    }
  }
  return commits;
}

type Sum = readonly [number, number];

function sumOf(word: (at: number, bytes: Buffer) => number) {
  return ([first, second]: Sum, bytes: Buffer): Sum => {
    for (let at = 0; at < bytes.length; at += 8) {
      first = (first + word(at, bytes) + second) | 0;
      second = (second + word(at + 4, bytes) + first) | 0;
    }
    return [first >>> 0, second >>> 0];
  };
}

const littleEndianSum = sumOf((at, bytes) => bytes.readUInt32LE(at));

function read(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, at));
}
