// `attention FORMAT WIDTH BATCH QUERIES KEYS HEADS`, where FORMAT is f16 or bf16 and WIDTH that of a head: reads q, k and v of
// the standard input, writes the result to the standard output, all in 16 bits. As a GPU would run it, from both ends.
#include <warp.cuh>

#include <attention.cu>

using Kernel = void (*)(const Bits *, const Bits *, const Bits *, Bits *, int, int, int, int, float);

// In the order of the widths.
static const struct {
    int width;
    Kernel f16, bf16;
} KERNELS[] = {
    {48, attention_f16_48, attention_bf16_48},   {64, attention_f16_64, attention_bf16_64},
    {80, attention_f16_80, attention_bf16_80},   {96, attention_f16_96, attention_bf16_96},
    {128, attention_f16_128, attention_bf16_128},
};

// Begins at 16 bytes, as a GPU's memory does.
static Bits *read(size_t count) {
    Bits *values = static_cast<Bits *>(std::aligned_alloc(16, (count * 2 + 15) / 16 * 16));
    if (std::fread(values, 2, count, stdin) != count) std::exit(3);
    return values;
}

int main(int, char **words) {
    bool is_bf16 = std::strcmp(words[1], "bf16") == 0;
    int width = std::atoi(words[2]), batch = std::atoi(words[3]), queries = std::atoi(words[4]);
    int keys = std::atoi(words[5]), heads = std::atoi(words[6]);
    const auto *of_width = KERNELS;
    while (of_width->width < width) ++of_width;
    Kernel kernel = is_bf16 ? of_width->bf16 : of_width->f16;
    size_t count = static_cast<size_t>(batch) * queries * heads * width;
    size_t key_count = static_cast<size_t>(batch) * keys * heads * width;
    const Bits *q = read(count), *k = read(key_count), *v = read(key_count);
    std::vector<Bits> results[2];
    for (int backwards = 0; backwards < 2; ++backwards) {
        results[backwards].assign(count, 0);
        float scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(width)));
        processor::run({(queries + QUERIES - 1) / QUERIES, batch * heads}, THREADS, backwards != 0,
                       [&] { kernel(q, k, v, results[backwards].data(), queries, keys, heads, width, scale); });
    }
    // One thread may not change what another is about to read.
    if (results[0] != results[1]) return 4;
    return std::fwrite(results[0].data(), 2, count, stdout) == count ? 0 : 5;
}
