/** Compiles code as a user's project would that `nest new` made, against our sources as they are now. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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

export interface CompiledUserCode {
  /** What the compiler has against it. */
  readonly problems: readonly string[];
  readonly emitted: string;
}

/** Each text is a file of its own; together they cost hardly more than one. */
export function compileUserCode(
  texts: readonly string[],
  options: ts.CompilerOptions = { strict: true },
): CompiledUserCode[] {
  const files = new Map(
    texts.map((text, index) => [
      join(ROOT, `example-of-a-user-${index}.ts`),
      text.replaceAll("'nest-cloud-tasks'", "'./src/index.js'"),
    ]),
  );
  const host = ts.createCompilerHost({ ...NEST_NEW, ...options });
  host.fileExists = (name) => files.has(name) || ts.sys.fileExists(name);
  host.readFile = (name) => files.get(name) ?? ts.sys.readFile(name);
  const names = [...files.keys()];
  const program = ts.createProgram(names, { ...NEST_NEW, ...options, rootDir: ROOT }, host);
  return names.map((name) => {
    const source = program.getSourceFile(name);
    const problems = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
      ...program.getDeclarationDiagnostics(source),
    ];
    let emitted = '';
    program.emit(source, (output, text) => {
      if (output.endsWith('.js')) emitted = text;
    });
    return {
      problems: problems.map(({ messageText }) =>
        ts.flattenDiagnosticMessageText(messageText, ' '),
      ),
      emitted,
    };
  });
}
