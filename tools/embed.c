/* embed OUTPUT HEADER ARRAY FILE...: writes a C file with each FILE as a string: struct { name, text } ARRAY[], which HEADER declares. */
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
  FILE *output = count > 3 ? fopen(arguments[1], "w") : NULL;
  if (!output) return 1;
  fprintf(output, "#include <stddef.h>\n#include \"%s\"\nconst struct runtime_text %s[] = {\n", arguments[2], arguments[3]);
  for (int i = 4; i < count; i++) {
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
