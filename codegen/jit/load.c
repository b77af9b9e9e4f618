/* Links objects into running code, by LLVM's ORC. */
#include "codegen/jit/code_memory.h"
#include "codegen/jit/parts.h"

#include <dlfcn.h>
#include <elf.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/OrcEE.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jit_program {
  LLVMOrcLLJITRef jit;
  struct code_memory *memory;
  struct code_file *file; /* the file that is being linked */
  char *problem; /* the first report of ORC, until it is taken */
};

static char *error_text(LLVMErrorRef error) {
  char *text = LLVMGetErrorMessage(error);
  char *copy = strdup(text);
  LLVMDisposeErrorMessage(text);
  return copy;
}

/* ORC reports errors here. Only the first is kept, since it names the cause. */
static void report(void *context, LLVMErrorRef error) {
  struct jit_program *program = context;
  char *text = error_text(error);
  if (program->problem)
    free(text);
  else
    program->problem = text;
}

/* A function or variable that an ELF file defines for others, or NULL. */
static const char *defined_symbol(const struct jit_object *object) {
  const Elf64_Ehdr *file = (const void *)object->bytes;
  const Elf64_Shdr *sections = (const void *)(object->bytes + file->e_shoff);
  for (int i = 0; i < file->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const Elf64_Sym *symbols = (const void *)(object->bytes + sections[i].sh_offset);
    for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++)
      if (ELF64_ST_BIND(symbols[k].st_info) == STB_GLOBAL && symbols[k].st_shndx != SHN_UNDEF &&
          ELF64_ST_VISIBILITY(symbols[k].st_other) == STV_DEFAULT)
        return object->bytes + sections[sections[i].sh_link].sh_offset + symbols[k].st_name;
  }
  return NULL;
}

static void initialize(void) {
  dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL); /* this process may not have loaded it */
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
}

/* The functions that ORC calls to have memory managed, and the one that it calls before: for one ELF file at a time. */
static LLVMErrorRef before_link(void *context, LLVMMemoryBufferRef *buffer) {
  struct jit_program *program = context;
  const char *file = LLVMGetBufferStart(*buffer);
  program->file = code_file_begin(program->memory, file, LLVMGetBufferSize(*buffer));
  return program->file ? LLVMErrorSuccess : LLVMCreateStringError("no memory for names");
}
static void *create_context(void *context) { return ((struct jit_program *)context)->file; }
static void nothing(void *context) { (void)context; }
static uint8_t *place_code(void *context, uintptr_t size, unsigned alignment, unsigned number, const char *name) {
  (void)number;
  return code_file_section(context, size, alignment, name, true, true);
}
static uint8_t *place_data(void *context, uintptr_t size, unsigned alignment, unsigned number, const char *name,
                           LLVMBool read_only) {
  (void)number;
  return code_file_section(context, size, alignment, name, false, read_only);
}
static LLVMBool finish(void *context, char **message) {
  (void)message;
  code_file_end(context);
  return 0;
}

static LLVMOrcObjectLayerRef make_layer(void *context, LLVMOrcExecutionSessionRef session, const char *triple) {
  (void)triple;
  LLVMOrcObjectLayerRef layer = LLVMOrcCreateRTDyldObjectLinkingLayerWithMCJITMemoryManagerLikeCallbacks(
      session, context, create_context, nothing, place_code, place_data, finish, nothing);
  LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, LLVMCreateGDBRegistrationListener());
  return layer;
}

static void unload(struct jit_program *program) {
  free(program->problem);
  if (program->jit) LLVMConsumeError(LLVMOrcDisposeLLJIT(program->jit));
  if (program->memory) code_memory_free(program->memory);
  free(program);
}

/* The bytes of the sections that need memory. */
static size_t sections_size(const struct jit_object *object) {
  struct jit_object elf;
  size_t total = 0;
  for (size_t at = 0; jit_object_next(object, &at, &elf);) {
    const Elf64_Ehdr *file = (const void *)elf.bytes;
    const Elf64_Shdr *sections = (const void *)(elf.bytes + file->e_shoff);
    for (int i = 0; i < file->e_shnum; i++) total += sections[i].sh_size + sections[i].sh_addralign;
  }
  return total;
}

static struct jit_program *load(const struct jit_object *objects, int count, bool openmp, char **message) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, initialize);
  char library[4096];
  snprintf(library, sizeof library, "%s/lib/libomp.so.5", llvm_folder());
  if (openmp && !dlopen("libomp.so.5", RTLD_NOW | RTLD_GLOBAL) && !dlopen(library, RTLD_NOW | RTLD_GLOBAL)) {
    *message = strdup("cannot load libomp.so.5: install libomp5-19");
    return NULL;
  }
  struct jit_program *program = calloc(1, sizeof *program);
  if (!program) abort();
  size_t size = 0;
  for (int i = 0; i < count; i++) size += sections_size(&objects[i]);
  program->memory = code_memory_new(size);
  if (!program->memory) {
    *message = strdup("no address space for code");
    unload(program);
    return NULL;
  }
  LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
  LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(builder, make_layer, program);
  LLVMErrorRef error = LLVMOrcCreateLLJIT(&program->jit, builder);
  LLVMOrcDefinitionGeneratorRef process = NULL;
  if (!error)
    error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(program->jit),
                                                                 NULL, NULL);
  if (!error) {
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(program->jit), report, program);
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(program->jit);
    LLVMOrcJITDylibAddGenerator(library, process);
    LLVMOrcObjectTransformLayerSetTransform(LLVMOrcLLJITGetObjTransformLayer(program->jit), before_link, program);
    struct jit_object elf;
    for (int i = 0; i < count; i++)
      for (size_t at = 0; !error && jit_object_next(&objects[i], &at, &elf);)
        error = LLVMOrcLLJITAddObjectFile(program->jit, library,
                                          LLVMCreateMemoryBufferWithMemoryRangeCopy(elf.bytes, elf.size, "lamella"));
    /* Everything is linked now, so that anything missing is an error here. */
    for (int i = 0; i < count; i++)
      for (size_t at = 0; !error && jit_object_next(&objects[i], &at, &elf);) {
        LLVMOrcExecutorAddress address;
        const char *name = defined_symbol(&elf);
        if (name) error = LLVMOrcLLJITLookup(program->jit, &address, name);
      }
  }
  if (!error && !code_memory_protect(program->memory)) error = LLVMCreateStringError("code may not be run here");
  if (!error) return program;
  *message = error_text(error);
  if (program->problem) {
    free(*message);
    *message = strdup(program->problem);
  }
  unload(program);
  return NULL;
}

static void *symbol(struct jit_program *program, const char *name) {
  LLVMOrcExecutorAddress address = 0;
  LLVMErrorRef error = LLVMOrcLLJITLookup(program->jit, &address, name);
  if (error) LLVMConsumeError(error);
  free(program->problem);
  program->problem = NULL;
  return error ? NULL : (void *)(uintptr_t)address;
}

const struct load_part lamella_load_part = {load, symbol, unload, name_crashes, write_perf_map};
