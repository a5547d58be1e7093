/** The clock of the test kit, which our own tests run on too. */
export { settled, VirtualClock } from '../../src/testing/virtual-clock.js';
