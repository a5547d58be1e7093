/** How far a checkpoint came: the log's pages that the database has already, of SQLite's own formats. */

/**
 * The part of the log's pages, each as the log has it last, that is the same in the database.
 *
 * @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function copiedHome(database: Buffer, log: Buffer): number {
  const pageSize = log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  const pages = new Map<number, Buffer>();
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize) {
    // What is left of an earlier round of the log has other salts.
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    pages.set(log.readUInt32BE(at), log.subarray(at + 24, at + 24 + pageSize));
  }
  const isHome = ([number, page]: [number, Buffer]) =>
    database.subarray((number - 1) * pageSize, number * pageSize).equals(page);
  return [...pages].filter(isHome).length / pages.size;
}
