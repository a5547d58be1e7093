/** The process of the producer benchmark's baseline. */
import { startEcho } from './echo.js';

process.send?.({ url: await startEcho() });
