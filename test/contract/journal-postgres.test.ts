import { PostgresJournal } from '../../src/adapters/journal-postgres.js';
import { startPostgres } from '../support/store-servers.js';
import { describeJournal } from './journal.contract.js';

describeJournal('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    open: (clock) => PostgresJournal.open(server.url, clock),
    close: () => server.close(),
  };
});
