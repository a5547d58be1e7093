/** Reads the outbound rules from a YAML file. */
import type { YamlPlace } from '../foundation/yaml-place.js';
import { parseYaml, textOfFile } from '../foundation/yaml-place.js';
import { printable } from '../foundation/printable.js';
import type { OutboundRule, RuleSurroundings } from './outbound-rule.js';
import { ruleProblem } from './outbound-rule.js';

/** What is judged with the rule as a whole is taken here as it comes. */
const READERS = {
  origin: (place: YamlPlace) => place.text(/./, "an origin such as 'https://api.example.com'"),
  pathPrefix: (place: YamlPlace) => place.text(/./, "a path such as '/v1'"),
  audience: (place: YamlPlace) => place.text(/./, 'one audience'),
  serviceAccount: (place: YamlPlace) => place.text(/./, 'the address of a service account'),
  headers: (place: YamlPlace) => place.items().map((item) => item.text(/./, 'names of headers')),
  allowCallerAuth: (place: YamlPlace) => place.oneOf([true, false]),
  timeout: (place: YamlPlace) =>
    place.duration((value) => value > 0, "a duration such as '30s', '10m' or '2h'"),
  concurrency: (place: YamlPlace) => place.number(Number.isInteger, 'a whole number'),
  permanent: statuses,
  transient: statuses,
} satisfies { [Field in keyof OutboundRule]-?: (place: YamlPlace) => OutboundRule[Field] };

/**
 * @param path of a map whose `rules` are a list
 * @throws CloudTasksError INVALID_ARGUMENT with one line: the file, the line in it, the field, what
 *   was expected and what came
 */
export function readOutboundFile(path: string, around: RuleSurroundings): OutboundRule[] {
  const root = parseYaml(textOfFile(path), printable(path, 200));
  const list = root.isNothing ? undefined : root.fields(['rules']).get('rules');
  const rules: OutboundRule[] = [];
  for (const place of (list ?? root.refuse('rules:')).items()) {
    rules.push(readRule(place, { ...around, others: [...around.others, ...rules] }));
  }
  return rules;
}

function readRule(place: YamlPlace, around: RuleSurroundings): OutboundRule {
  const fields = place.fields(Object.keys(READERS));
  if (!fields.has('origin')) throw place.error('expected an origin, got none');
  const rule = Object.fromEntries(
    Object.entries(READERS).flatMap(([name, read]) => {
      const field = fields.get(name);
      return field ? [[name, read(field)]] : [];
    }),
  ) as unknown as OutboundRule;
  const problem = ruleProblem(rule, around);
  if (problem) throw (fields.get(problem.field) ?? place).error(`expected ${problem.expected}`);
  return rule;
}

function statuses(place: YamlPlace): number[] {
  return place.items().map((item) => item.number(Number.isInteger, 'an HTTP status'));
}
