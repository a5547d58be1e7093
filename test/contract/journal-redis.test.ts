import { RedisJournal } from '../../src/adapters/journal-redis.js';
import { startRedis } from '../support/store-servers.js';
import { describeJournal } from './journal.contract.js';

describeJournal('Redis', async () => {
  const server = await startRedis();
  return {
    open: (clock) => RedisJournal.open(server.url, clock),
    close: () => server.close(),
  };
});
