import { MemoryStore } from '../../src/adapters/memory-store.js';
import { describeTaskStore } from '../contract/task-store.contract.js';

describeTaskStore('MemoryStore', () => new MemoryStore());
