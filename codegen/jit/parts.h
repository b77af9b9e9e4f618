/* The interfaces of the two shared objects for jit.c. Their functions are those of jit.h, with C linkage, found by
   dlsym. */
#ifndef CODEGEN_JIT_PARTS_H
#define CODEGEN_JIT_PARTS_H

#include "codegen/jit/jit.h"

/* The folder of LLVM's headers and of its OpenMP library: $LAMELLA_LLVM, or else the folder where the build found LLVM. */
#if defined LAMELLA_LLVM && !defined __cplusplus
#include "ir/environment.h"
static inline const char *llvm_folder(void) {
  const char *named = environment("LAMELLA_LLVM");
  return named && *named ? named : LAMELLA_LLVM;
}
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* liblamella-clang.so */
struct clang_part {
  const char *(*version)(void);
  const char *(*library)(void); /* the file of Clang's libraries; "" where unknown */
  void (*prepare)(const struct jit_source *source);
  char **(*link_command)(const char *const *arguments, int count, char **message);
  /* a hash of the source, and of Clang with all its options, those for this machine included */
  struct hash (*key)(const struct jit_source *source);
  bool (*compile)(const struct jit_source *source, struct jit_object *object, char **message);
};
extern const struct clang_part lamella_clang_part;

/* liblamella-load.so */
struct load_part {
  struct jit_program *(*load)(const struct jit_object *objects, int count, bool openmp, char **message);
  void *(*symbol)(struct jit_program *program, const char *name);
  void (*unload)(struct jit_program *program);
  void (*name_crashes)(void);
  bool (*perf_map)(void);
};
extern const struct load_part lamella_load_part;

#ifdef __cplusplus
}
#endif

#endif
