/* All modules: those of the library, which models share, and those of programs. In modules of programs, functions that
   open files or read what others wrote return false (or NULL) after a message on stderr, and running out of memory ends
   the program. */
#ifndef LAM_RUNTIME_H
#define LAM_RUNTIME_H

#include "runtime/model.h"
#include "runtime/random.h"
#include "runtime/safetensors.h"
#include "runtime/weights.h"
#include "runtime/tokenizer.h"
#include "runtime/bytes.h"
#include "runtime/characters.h"
#include "runtime/categories.h"
#include "runtime/sample.h"
#include "runtime/memory.h"
#include "runtime/files.h"
#include "runtime/places.h"
#include "runtime/kernels.h"
#include "runtime/watch.h"
#include "runtime/bench.h"
#include "runtime/bench_report.h"
#include "runtime/options.h"
#include "runtime/checkpoint.h"
#include "runtime/adapters.h"
#include "runtime/data.h"
#include "runtime/masked.h"
#include "runtime/text.h"
#include "runtime/csv.h"
#include "runtime/synthetic.h"
#include "runtime/batches.h"
#include "runtime/progress.h"
#include "runtime/evaluate.h"
#include "runtime/handover.h"
#include "runtime/train.h"
#include "runtime/generate.h"
#include "runtime/source.h"
#include "runtime/predict.h"
#include "runtime/sizes.h"
#include "runtime/info.h"
#include "runtime/steps.h"

#endif
