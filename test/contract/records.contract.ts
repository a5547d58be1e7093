/** What every database of the app's records must do. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type {
  AppRecords,
  Entity,
  EntityVersion,
  KeptEntity,
} from '../../src/foundation/app-records.js';

export interface RecordsUnderTest {
  open(): Promise<AppRecords>;
  close(): Promise<void>;
}

let ids = 0;
const nextId = () => `entity-${ids++}`;

const version = (value: number | bigint, kind: EntityVersion['kind'] = 'version') => ({
  version: { kind, value: BigInt(value) },
});

export function describeRecords(name: string, prepare: () => Promise<RecordsUnderTest>): void {
  describe(`the app's records in ${name}`, () => {
    let place: RecordsUnderTest;
    let records: AppRecords;

    beforeAll(async () => {
      place = await prepare();
      records = await place.open();
    }, 60_000);
    afterAll(async () => {
      await records.close();
      await place.close();
    });

    test('an entity is kept as it came, and found again by whoever opens the database', async () => {
      const entity: Entity = {
        id: nextId(),
        content: '{"name":"Grüße \\u0000 💌","n":12345678901234567890}',
        etag: '"x"',
        ...version(9007199254740993n),
        fetchedAt: 1_700_000_000_000_001,
      };
      expect(await records.save(entity)).toBe('changed');
      const other = await place.open();
      expect(await other.entity(entity.id)).toEqual(entity);
      await other.close();
      expect(await records.entity('nobody')).toBeUndefined();
    });

    test('changed or unchanged is told by the content', async () => {
      const id = nextId();
      const save = (content: string, fetchedAt: number) => records.save({ id, content, fetchedAt });
      expect(await save('1', 10)).toBe('changed');
      expect(await save('1', 20)).toBe('unchanged');
      expect(await save('2', 30)).toBe('changed');
      expect(await save('1', 40)).toBe('changed');
    });

    test.each<[string, Partial<Entity>, Partial<Entity>, string]>([
      [
        'a smaller version, fetched later',
        { ...version(2) },
        { ...version(1), fetchedAt: 99 },
        'older',
      ],
      [
        'a greater version, fetched earlier',
        { ...version(1) },
        { ...version(2), fetchedAt: 1 },
        'changed',
      ],
      [
        'the same version, fetched later',
        { ...version(1) },
        { ...version(1), fetchedAt: 99 },
        'changed',
      ],
      [
        'the same version, fetched earlier',
        { ...version(1) },
        { ...version(1), fetchedAt: 1 },
        'older',
      ],
      ['no versions, fetched earlier', {}, { fetchedAt: 1 }, 'older'],
      ['no versions, fetched later', {}, { fetchedAt: 99 }, 'changed'],
      [
        'another kind of version, fetched later',
        { ...version(9) },
        { ...version(1, 'updated_at'), fetchedAt: 99 },
        'changed',
      ],
      [
        'another kind of version, fetched earlier',
        { ...version(1) },
        { ...version(9, 'updated_at'), fetchedAt: 1 },
        'older',
      ],
      [
        'a version beyond 2^53',
        { ...version(2n ** 62n) },
        { ...version(2n ** 62n - 1n), fetchedAt: 99 },
        'older',
      ],
    ])('%s', async (_name, first, second, saved) => {
      const id = nextId();
      await records.save({ id, content: 'first', fetchedAt: 50, ...first });
      expect(await records.save({ id, content: 'second', fetchedAt: 50, ...second })).toBe(saved);
      expect((await records.entity(id))?.content).toBe(saved === 'older' ? 'first' : 'second');
    });

    test('in whatever order they arrive, and however many at once, the newest stays', async () => {
      const one = fc.record({ value: fc.nat(5), fetchedAt: fc.integer({ min: 1, max: 1e6 }) });
      const many = fc.uniqueArray(one, {
        minLength: 2,
        maxLength: 8,
        selector: (e) => e.fetchedAt,
      });
      await fc.assert(
        fc.asyncProperty(many, fc.boolean(), async (entities, versioned) => {
          const id = nextId();
          const save = ({ value, fetchedAt }: (typeof entities)[number]) =>
            records.save({
              id,
              content: `${value} ${fetchedAt}`,
              fetchedAt,
              ...(versioned ? version(value) : {}),
            });
          await Promise.all(entities.map(save));
          const [newest] = [...entities].sort(
            (a, b) => (versioned ? b.value - a.value : 0) || b.fetchedAt - a.fetchedAt,
          );
          expect((await records.entity(id))?.content).toBe(
            `${String(newest?.value)} ${String(newest?.fetchedAt)}`,
          );
        }),
        { numRuns: 40 },
      );
    });

    test('what the source has confirmed isn’t replaced by what it had before', async () => {
      const id = nextId();
      await records.save({ id, content: 'new', etag: '"2"', fetchedAt: 10 });
      expect(await records.confirm(id, '"1"', 30)).toBe(false);
      expect(await records.confirm(id, '"2"', 30)).toBe(true);
      expect(await records.confirm(id, '"2"', 25)).toBe(true);
      expect(await records.save({ id, content: 'old', etag: '"1"', fetchedAt: 20 })).toBe('older');
      expect(await records.confirm('nobody', '"2"', 30)).toBe(false);
    });

    test('what is gone at the source comes back only by a later look at it', async () => {
      const id = nextId();
      const kept = (): Promise<KeptEntity | undefined> => records.entity(id);
      expect(await records.markGone(id, 5)).toBe(false);
      await records.save({ id, content: '1', fetchedAt: 10, ...version(1) });
      expect(await records.markGone(id, 9)).toBe(false);
      expect(await records.markGone(id, 20)).toBe(true);
      expect(await records.markGone(id, 30)).toBe(true);
      expect(await kept()).toMatchObject({ goneSince: 20, content: '1' });
      expect(await records.save({ id, content: '2', fetchedAt: 25, ...version(2) })).toBe('older');
      expect(await records.save({ id, content: '1', fetchedAt: 40, ...version(1) })).toBe(
        'changed',
      );
      expect(await kept()).not.toHaveProperty('goneSince');
    });

    test('those gone long enough are deleted, and nothing else', async () => {
      const [here, gone, justGone] = [nextId(), nextId(), nextId()];
      for (const id of [here, gone, justGone]) {
        await records.save({ id, content: '1', fetchedAt: 1 });
      }
      await records.markGone(gone, 100);
      await records.markGone(justGone, 200);
      await records.deleteGone(90);
      expect(await records.deleteGone(200)).toBe(1);
      expect(await records.entity(gone)).toBeUndefined();
      expect(await records.entity(justGone)).toBeDefined();
      expect(await records.entity(here)).toBeDefined();
      await records.deleteGone(1e6);
    });

    test('deliveries are noted, and forgotten by their age', async () => {
      const delivery = { id: 'w', attempt: 1, url: 'https://a.example/x', took: 5 } as const;
      await records.noteDelivery({
        ...delivery,
        outcome: 'again',
        failure: 'host not found',
        at: 1,
      });
      await records.noteDelivery({ ...delivery, outcome: 'delivered', status: 200, at: 2 });
      expect(await records.deleteDeliveries(2)).toBe(1);
      expect(await records.deleteDeliveries(2)).toBe(0);
      expect(await records.deleteDeliveries(3)).toBe(1);
      for (let at = 0; at < 1100; at++) {
        await records.noteDelivery({ ...delivery, outcome: 'delivered', status: 200, at });
      }
      expect(await records.deleteDeliveries(1050)).toBe(1000);
      expect(await records.deleteDeliveries(1050)).toBe(50);
      expect(await records.deleteDeliveries(1e9)).toBe(50);
    });
  });
}
