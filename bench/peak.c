/* Measures what the machine can do at the moment with as many threads as OpenMP starts: multiply-adds on registers
   alone, and reading of memory that no cache holds. Prints "flops<tab>GFLOP/s" and "read<tab>GB/s". */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __AVX512F__
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
enum { CHAINS = 10 };
typedef float wide __attribute__((vector_size(LANES * 4)));

static float multiply_adds(int64_t count) {
  wide x = {0.999f}, y = {0.001f}, a = x, b = a + x, c = b + x, d = c + x, e = d + x, f = e + x, g = f + x, h = g + x,
       i = h + x, j = i + x;
  for (int64_t n = 0; n < count; n++) {
    a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y, e = e * x + y;
    f = f * x + y, g = g * x + y, h = h * x + y, i = i * x + y, j = j * x + y;
  }
  a = a + b + c + d + e + f + g + h + i + j;
  float total = 0;
  for (int lane = 0; lane < LANES; lane++) total += a[lane];
  return total;
}

static float sum(const wide *memory, int64_t count) {
  wide a = {0}, b = a, c = a, d = a;
  for (int64_t n = 0; n + 4 <= count; n += 4)
    a += memory[n], b += memory[n + 1], c += memory[n + 2], d += memory[n + 3];
  a = a + b + c + d;
  float total = 0;
  for (int lane = 0; lane < LANES; lane++) total += a[lane];
  return total;
}

int main(void) {
  const int64_t chain = 4000000, bytes = 512 << 20, count = bytes / (int64_t)sizeof(wide);
  wide *memory = aligned_alloc(64, (size_t)bytes);
  if (!memory) return 1;
  volatile float sink = 0;
  int threads = 1;
  double flops = 0, read = 0;
#pragma omp parallel
  {
    int own = omp_get_thread_num(), all = omp_get_num_threads();
    int64_t begin = count * own / all, end = count * (own + 1) / all;
    for (int64_t n = begin; n < end; n++) memory[n] = (wide){1};
    for (int repeat = 0; repeat < 5; repeat++) {
#pragma omp barrier
      double start = omp_get_wtime();
      float total = multiply_adds(chain);
#pragma omp barrier
      double middle = omp_get_wtime();
      total += sum(memory + begin, end - begin);
#pragma omp barrier
      double stop = omp_get_wtime();
#pragma omp critical
      sink = sink + total;
#pragma omp master
      {
        double rate = 2.0 * CHAINS * LANES * (double)chain * all / (middle - start) * 1e-9,
               speed = (double)bytes / (stop - middle) * 1e-9;
        threads = all;
        if (rate > flops) flops = rate;
        if (speed > read) read = speed;
      }
    }
  }
  printf("flops\t%.2f\nread\t%.2f\n", flops, read);
  free(memory);
  return threads < 1;
}
