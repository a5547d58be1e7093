/** One seed for every random case of a run: jest prints it, and `npm test -- --seed=N` repeats it. */
import { jest } from '@jest/globals';
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: jest.getSeed() });
