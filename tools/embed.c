/* embed OUTPUT FILE...: writes a C file with each FILE as a string: struct { name, text } runtime_texts[]. */
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
  FILE *output = count > 1 ? fopen(arguments[1], "w") : NULL;
  if (!output) return 1;
  fputs("#include <stddef.h>\n#include \"codegen/runtime_text.h\"\nconst struct runtime_text runtime_texts[] = {\n", output);
  for (int i = 2; i < count; i++) {
    FILE *input = fopen(arguments[i], "r");
    if (!input) return 1;
    const char *slash = strrchr(arguments[i], '/');
    fprintf(output, "  {\"%s\",\n   \"", slash ? slash + 1 : arguments[i]);
    for (int c; (c = getc(input)) != EOF;) {
      if (c == '\n')
        fputs("\\n\"\n   \"", output);
      else if (c == '"' || c == '\\')
        fprintf(output, "\\%c", c);
      else
        putc(c, output);
    }
    fputs("\"},\n", output);
    fclose(input);
  }
  fputs("  {NULL, NULL}};\n", output);
  return fclose(output) != 0;
}
