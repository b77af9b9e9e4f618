/* peak_memory FILE COMMAND...: runs the command and writes to FILE the most memory that it had at once, in KiB. The exit status is the
   command's. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count < 3) return 2;
  const pid_t child = fork();
  if (child == 0) {
    execvp(words[2], words + 2);
    perror(words[2]);
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (child < 0 || waitpid(child, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &usage) != 0)
    return perror("peak_memory"), 2;
  FILE *file = fopen(words[1], "w");
  if (!file || fprintf(file, "%ld\n", usage.ru_maxrss) < 0 || fclose(file) != 0) return perror(words[1]), 2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
