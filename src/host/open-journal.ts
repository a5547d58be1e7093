/** Opens the journal that a store's address names, and loads what that needs, nothing else. */
import type { Clock } from '../engine/ports.js';
import type { Journal } from '../foundation/journal.js';
import type { StorePlace } from '../foundation/store-url.js';

/**
 * @param clock counts the leases of stores that are of this machine; servers have clocks
 * @throws Error with one line for a person; never a password
 */
export async function openJournal(place: StorePlace, clock: Clock): Promise<Journal> {
  switch (place.kind) {
    case 'memory': {
      const { MemoryJournal } = await import('../adapters/journal-memory.js');
      return new MemoryJournal(clock);
    }
    case 'sqlite': {
      const { SqliteJournal } = await import('../adapters/journal-sqlite.js');
      return SqliteJournal.open(place.file, clock);
    }
    case 'redis': {
      const { RedisJournal } = await import('../adapters/journal-redis.js');
      return RedisJournal.open(place.url);
    }
    case 'postgres': {
      const { PostgresJournal } = await import('../adapters/journal-postgres.js');
      return PostgresJournal.open(place.url);
    }
  }
}
