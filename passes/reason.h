/* Why the schedules decided as they did (reason.def), in words for people (explain.c). */
#ifndef PASSES_REASON_H
#define PASSES_REASON_H

enum keep_reason {
  KEEP_NOT,
#define KEEP(name, text) KEEP_##name,
#include "passes/reason.def"
#undef KEEP
};

enum join_reason {
  JOIN_NOT,
#define JOIN(name, text) JOIN_##name,
#include "passes/reason.def"
#undef JOIN
};

enum refusal_reason {
  REFUSAL_NONE,
#define REFUSAL(name, text) REFUSAL_##name,
#include "passes/reason.def"
#undef REFUSAL
};

enum apart_reason {
  APART_NOT,
#define APART(name, text) APART_##name,
#include "passes/reason.def"
#undef APART
};

enum untiled_reason {
  UNTILED_NOT,
#define UNTILED(name, text) UNTILED_##name,
#include "passes/reason.def"
#undef UNTILED
};

enum bitmap_reason {
  BITMAP_NOT, /* the weight is not pruned */
#define BITMAP(name, text) BITMAP_##name,
#include "passes/reason.def"
#undef BITMAP
};

enum copy_reason {
  COPY_NOT,
#define COPY(name, text) COPY_##name,
#include "passes/reason.def"
#undef COPY
};

enum kernel_form {
#define FORM(name, text) FORM_##name,
#include "passes/reason.def"
#undef FORM
};

#endif
