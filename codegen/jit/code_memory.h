/* Memory for linked code: places for the sections of ELF files as ORC asks for them, and the names of their functions,
   static ones included, for backtraces and profilers. */
#ifndef CODEGEN_JIT_CODE_MEMORY_H
#define CODEGEN_JIT_CODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_memory;

/* One piece of address space with room for `sections_size` bytes of sections, so that all code of a program can reach
   all of it. NULL when none can be had. */
struct code_memory *code_memory_new(size_t sections_size);
/* Sets which memory may be read, written and run, when all files are linked. False where the system refuses. */
bool code_memory_protect(struct code_memory *memory);
/* To be called when everything that knows the code has forgotten it. */
void code_memory_free(struct code_memory *memory);

/* One ELF file. Linking one may begin before another is done, where that one needs it. NULL when out of memory. */
struct code_file;
struct code_file *code_file_begin(struct code_memory *memory, const char *elf, size_t size);
/* Zeroed memory for one section; NULL when it does not fit. */
uint8_t *code_file_section(struct code_file *file, size_t size, size_t alignment, const char *name, bool code,
                           bool read_only);
/* From now on the names are known. */
void code_file_end(struct code_file *file);

/* The function of some program at an address, and the offset into it. NULL where the address is in no program. Safe in
   a signal handler. */
const char *code_function(uintptr_t address, size_t *offset);
/* Calls `each` for all functions of all programs. */
void code_functions(void (*each)(void *context, uintptr_t address, size_t size, const char *name), void *context);

/* --- crash.c -------------------------------------------------------------------------------------------------------------- */

/* From now on a crash of the process tells the functions on the stack, the program's included, before the process ends
   as it would have. */
void name_crashes(void);
/* Writes /tmp/perf-PID.map, where perf looks for names. */
bool write_perf_map(void);

#endif
