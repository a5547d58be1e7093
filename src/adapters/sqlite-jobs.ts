/** The jobs: few, read all at once at the start, each on its own so that a damaged one hurts no other. */
import type { JobState, StoredJob } from '../engine/ports.js';
import type { SqliteDamage } from './sqlite-damage.js';
import type { GroupCommit } from './sqlite-group-commit.js';
import { decodeJob, encodeJob, encodeJobState } from './sqlite-record.js';
import type { Statements } from './sqlite-statements.js';

export class SqliteJobs {
  constructor(
    private readonly store: number,
    private readonly sql: Statements,
    private readonly commits: GroupCommit,
    private readonly damage: SqliteDamage,
  ) {}

  all(): StoredJob[] {
    const names = this.damage.byIndex(() => this.sql.jobNames.all());
    return names.flatMap(([name]) => this.read(name) ?? []);
  }

  put({ job, state }: StoredJob): Promise<void> {
    const { name } = job;
    const { head, body, bodyChecksum } = encodeJob(this.store, job);
    const { text, checksum } = encodeJobState(this.store, name, state);
    return this.commits.write(() => {
      this.sql.putJob.run(name, head.text, head.checksum, body, bodyChecksum);
      this.sql.putJobState.run(name, text, checksum);
    });
  }

  putState(name: string, state: JobState): Promise<void> {
    const { text, checksum } = encodeJobState(this.store, name, state);
    return this.commits.write(() => void this.sql.updateJobState.run(text, checksum, name));
  }

  delete(name: string): Promise<void> {
    return this.commits.write(() => {
      this.sql.deleteJob.run(name);
      this.sql.deleteJobState.run(name);
    });
  }

  private read(name: string): StoredJob | undefined {
    try {
      const row = this.sql.job.get(name);
      return row && decodeJob(this.store, name, row);
    } catch (error) {
      this.damage.job(name, error);
      return undefined;
    }
  }
}
