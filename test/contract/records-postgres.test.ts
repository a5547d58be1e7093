import { openRecords } from '../../src/host/open-records.js';
import { startPostgres } from '../support/store-servers.js';
import { describeRecords } from './records.contract.js';

describeRecords('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    open: () => openRecords({ postgres: server.url }),
    close: () => server.close(),
  };
});
