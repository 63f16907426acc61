// The model families the engine runs, and which of them two files are of.

import { ModelFormatError } from '../errors';
import type { ModelFile } from '../gguf/model-file';
import type { Family } from './family';
import { LLAVA_ONEVISION } from './llava-onevision';
import { QWEN2_5_VL } from './qwen2.5-vl';
import { QWEN2_VL } from './qwen2-vl';
import { QWEN3_VL } from './qwen3-vl';
import { SMOLVLM2 } from './smolvlm2';

export const FAMILIES: readonly Family[] = [QWEN2_VL, QWEN2_5_VL, QWEN3_VL, SMOLVLM2, LLAVA_ONEVISION];

/**
 * The family of a vision file.
 * @throws ModelFormatError when it is no vision file, or of a family the engine does not run.
 */
export function familyOf({ metadata }: ModelFile): Family {
  const { fileName } = metadata;
  const architecture = metadata.string('general.architecture');
  if (architecture !== 'clip') {
    throw new ModelFormatError(
      `${fileName} is a model of architecture '${architecture}', not a vision file. Choose the file of the same model whose name has 'mmproj' in it.`,
    );
  }
  const projector = metadata.string('clip.projector_type', 'none');
  const family = FAMILIES.find((one) => one.projector === projector);
  if (family) return family;
  throw new ModelFormatError(
    `${fileName} is a vision file with the projector '${projector}'; supported are ${named(({ projector }) => projector)}. Choose a ${named(({ name }) => name, 'or')} model.`,
  );
}

/**
 * A family whose decoders are like that of a file: enough to read its sizes.
 * @throws ModelFormatError when the engine runs none such.
 */
export function decoderFamilyOf({ metadata }: ModelFile): Family {
  const architecture = metadata.string('general.architecture');
  const family = FAMILIES.find((one) => one.architecture === architecture);
  if (family) return family;
  throw new ModelFormatError(
    `${metadata.fileName} is a '${architecture}' model; this build runs ${named(({ architecture }) => `'${architecture}'`)} decoders (${named(({ name }) => name)}).`,
  );
}

/** @throws ModelFormatError when a decoder's file is not of the family of the vision file beside it. */
export function checkDecoder(file: ModelFile, family: Family): void {
  const { architecture } = decoderFamilyOf(file);
  if (architecture === family.architecture) return;
  throw new ModelFormatError(
    `${file.metadata.fileName} is a '${architecture}' decoder, but the vision file beside it is of ${family.name}, whose decoders are '${family.architecture}'. Choose the two files of one model.`,
  );
}

/** What every family says, each once, as a list. */
function named(of: (family: Family) => string, conjunction?: 'or'): string {
  const words = [...new Set(FAMILIES.map(of))];
  const last = words.at(-1)!;
  return words.length > 1 && conjunction
    ? `${words.slice(0, -1).join(', ')} ${conjunction} ${last}`
    : words.join(', ');
}
