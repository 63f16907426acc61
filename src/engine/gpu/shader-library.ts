// The shader sources and their linker: WESL modules under shaders/ become plain WGSL, once for each
// combination of module and conditions.

import { link } from 'wesl/core';

const sources = import.meta.glob<string>('../../../shaders/**/*.wesl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

const weslSrc = Object.fromEntries(
  Object.entries(sources).map(([path, text]) => [path.replace(/^.*\/shaders\//, './'), text]),
);

const linked = new Map<string, Promise<string>>();

/**
 * Links one kernel to WGSL.
 * @param module file name under shaders/ without ending, e.g. `matmul`.
 * @param conditions values of the module's `@if` conditions; those not named are false.
 */
export function linkShader(module: string, conditions: Readonly<Record<string, boolean>>): Promise<string> {
  const key = `${module} ${JSON.stringify(Object.entries(conditions).sort())}`;
  let text = linked.get(key);
  if (!text) {
    text = link({
      weslSrc,
      rootModuleName: `./${module}.wesl`,
      conditions,
      keepComments: false,
      sourceMap: false,
    }).then((result) => result.dest);
    linked.set(key, text);
  }
  return text;
}

/** Name → index of the `@group(0)` bindings a linked module declares. */
export function bindingIndices(wgsl: string): Map<string, number> {
  const indices = new Map<string, number>();
  for (const [, index, name] of wgsl.matchAll(/@binding\((\d+)\)\s*var(?:<[^>]*>)?\s*(\w+)/g)) {
    indices.set(name!, Number(index));
  }
  return indices;
}
