/** The documentation's example compiles in a project that `nest new` made. */
import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Never written: the compiler is given the text below. */
const FILE = join(ROOT, 'test/modules/tasks/example-of-a-user.ts');

const EXAMPLE = `
import { Body, Controller, Module, Post } from '@nestjs/common';
import { IsEmail, IsString } from 'class-validator';
import { InjectTasks, Task, TaskContext, TaskController, TaskInfo, Tasks, TasksModule } from '../../../src/index.js';

class SendEmail { @IsEmail() to!: string; @IsString() subject!: string; @IsString() body!: string }

@TaskController('tasks', { queue: 'email-queue' })
export class EmailTasks {
  @Task('send-email', { dispatchDeadline: '30s' })
  async send(@Body() email: SendEmail, @TaskInfo() task: TaskContext): Promise<void> {}
}

@Controller('emails')
export class EmailsController {
  constructor(@InjectTasks(EmailTasks) private readonly tasks: Tasks<EmailTasks>) {}

  @Post() create(@Body() email: SendEmail) {
    return this.tasks.send.delay(email);
  }

  later(email: SendEmail) {
    return this.tasks.send.options({ countdown: '30m', taskId: 'welcome-42' }).delay(email);
  }
}

@Module({ imports: [TasksModule.forRoot({ backend: 'embedded' }), TasksModule.forFeature([EmailTasks])],
          controllers: [EmailTasks, EmailsController] })
export class AppModule {}
`;

/** The tsconfig.json of \`nest new\`, but for where it writes. */
const NEST_NEW: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  resolvePackageJsonExports: true,
  esModuleInterop: true,
  isolatedModules: true,
  declaration: true,
  removeComments: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  allowSyntheticDefaultImports: true,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  skipLibCheck: true,
  strictPropertyInitialization: false,
};

test.each([
  ['strict', { strict: true }],
  ['not strict', { strict: false, strictNullChecks: true }],
])(
  '%s',
  (_, options) => {
    const host = ts.createCompilerHost({ ...NEST_NEW, ...options });
    host.fileExists = (name) => name === FILE || ts.sys.fileExists(name);
    host.readFile = (name) => (name === FILE ? EXAMPLE : ts.sys.readFile(name));
    const program = ts.createProgram([FILE], { ...NEST_NEW, ...options, rootDir: ROOT }, host);
    const source = program.getSourceFile(FILE);
    const problems = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
      ...program.getDeclarationDiagnostics(source),
    ];
    expect(problems.map(({ messageText }) => messageText)).toEqual([]);
    let emitted = '';
    program.emit(source, (name, text) => {
      if (name.endsWith('.js')) emitted = text;
    });
    // Nest's pipes, and its injector, go by these.
    expect(emitted).toContain('__metadata("design:paramtypes", [SendEmail, TaskContext])');
    expect(emitted).toContain('__metadata("design:paramtypes", [Tasks])');
  },
  60_000,
);
