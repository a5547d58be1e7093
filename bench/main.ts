/** Runs every benchmark, or those named: `npm run bench -- dispatch`. */
const ALL = ['producer', 'dispatch', 'grpc', 'guard', 'relay', 'punctuality'];

const asked = process.argv.slice(2);
for (const name of asked.length > 0 ? asked : ALL) {
  if (!ALL.includes(name)) throw new Error(`Benchmarks are ${ALL.join(', ')}, got '${name}'.`);
  await import(`./${name}.js`);
}
