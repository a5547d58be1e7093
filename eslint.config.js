// Lint rules. Those that hold the architecture up are in eslint.architecture.js and
// .dependency-cruiser.js, each with its reason; test/architecture proves that each of them bites.
import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier/flat';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import architecture from './eslint.architecture.js';

export default defineConfig(
  globalIgnores([
    'examples/',
    'dist*/',
    'coverage/',
    '.data/',
    'bench/results/',
    'test/architecture/fixtures/',
  ]),
  eslint.configs.recommended,
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'separate-type-imports' },
      ],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        // A default that handles "all the rest" of a union is a decision, not an oversight.
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/require-array-sort-compare': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      // A Nest module is a class that only carries its decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // Ports are async so that an implementation may wait; one that needn't wait keeps the shape.
      '@typescript-eslint/require-await': 'off',
      // Nest declares its options as classes, to be given as literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Doing nothing is a proper answer of an implementation that has nothing to do.
      '@typescript-eslint/no-empty-function': 'off',
      // Numbers and booleans read well in a message; null, undefined and objects do not.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {
          allowNumber: true,
          allowAny: false,
          allowNever: false,
          allowNullish: false,
          allowRegExp: false,
        },
      ],
      // `noPropertyAccessFromIndexSignature` asks for the bracket form where this rule forbids it.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // proto3 knows no null: an empty string or a zero often means "not given", which `??` lets by.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: true }],
      // Telling control characters from others is what validating a header or a path is.
      'no-control-regex': 'off',
      // `() => emitter.emit(...)` as a callback is shorter than, and as clear as, a block.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Arguments that a signature asks for, and properties that are taken out of the rest.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
    },
  },
  {
    // Where a person reads standard output. Elsewhere a line without severity would be lost.
    files: ['src/main.ts', 'src/cli/**', 'bench/**', 'test/**'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // `...'abc'` lists the characters that a property test picks from.
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  architecture,
  prettier,
);
