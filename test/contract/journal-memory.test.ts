import { MemoryJournal } from '../../src/adapters/journal-memory.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { describeJournal } from './journal.contract.js';

describeJournal('memory', async () => ({
  private: true,
  open: async (clock) => new MemoryJournal(clock ?? new VirtualClock()),
}));
