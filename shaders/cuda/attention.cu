// softmax(q·kᵀ / √D)·v of heads whose values have 16 bits, in one pass over the keys: no logit leaves the multiprocessor
// (FlashAttention-2, Dao 2023, https://arxiv.org/abs/2307.08691). Logits, weights' sums and the result are added up in f32.
//
// packaging/gpu/kernels.rs makes attention.ptx of it, which the program carries.

#include <warp.cuh>

namespace {

constexpr int THREADS = 128;
// Of a block: the 16 rows of a product for each of its warps.
constexpr int QUERIES = THREADS / 32 * 16;
// Of a tile.
constexpr int KEYS = 64;

// A row of a tile is 16 bytes longer than its head: the eight rows of a matrix then lie in different banks.
template <int WIDTH> constexpr int ROW = WIDTH + 8;

// Begins to copy the rows of a head from `first` on to a tile, with zeros after its rows and columns.
template <int WIDTH> __device__ void begin_tile(Bits *tile, const Bits *head, size_t stride, int first, int rows, int width) {
    constexpr int PIECES = WIDTH / 8;
    for (int i = threadIdx.x; i < KEYS * PIECES; i += THREADS) {
        int row = i / PIECES, column = i % PIECES * 8;
        bool there = first + row < rows && column < width;
        copy_async_16(tile + row * ROW<WIDTH> + column, there ? head + (first + row) * stride + column : head, there);
    }
}

// q, out: [B, queries, heads·width], k, v: [B, keys, heads·width]; width: a multiple of 8, at most WIDTH; scale: that of the
// logits times log2(e). Blocks: [queries / QUERIES rounded up, B·heads] of THREADS.
template <bool BF16, int WIDTH>
__device__ void attention(const Bits *q, const Bits *k, const Bits *v, Bits *out, int queries, int keys, int heads,
                          int width, float scale) {
    __shared__ __align__(16) Bits key_tile[KEYS * ROW<WIDTH>];
    __shared__ __align__(16) Bits value_tile[KEYS * ROW<WIDTH>];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const size_t stride = static_cast<size_t>(heads) * width;
    const size_t batch = blockIdx.y / heads, column_of_head = static_cast<size_t>(blockIdx.y % heads) * width;
    q += batch * queries * stride + column_of_head;
    out += batch * queries * stride + column_of_head;
    k += batch * keys * stride + column_of_head;
    v += batch * keys * stride + column_of_head;
    // This lane's rows are this one and the eighth after it.
    const int row = blockIdx.x * QUERIES + warp * 16 + lane / 4;

    Pair q_fragment[WIDTH / 16][4];
    for (int step = 0; step < WIDTH / 16; ++step)
        for (int i = 0; i < 4; ++i) {
            int r = row + i % 2 * 8, column = step * 16 + i / 2 * 8 + lane % 4 * 2;
            q_fragment[step][i] = r < queries && column < width ? *reinterpret_cast<const Pair *>(q + r * stride + column) : 0;
        }
    float accumulator[WIDTH / 8][4] = {};
    float row_max[2] = {-INFINITY, -INFINITY}, row_sum[2] = {};

    begin_tile<WIDTH>(key_tile, k, stride, 0, keys, width);
    commit_group();
    begin_tile<WIDTH>(value_tile, v, stride, 0, keys, width);
    commit_group();
    for (int first = 0; first < keys; first += KEYS) {
        const bool is_last = first + KEYS >= keys;
        wait_group_1();
        sync_block();
        float logits[KEYS / 8][4] = {};
        for (int step = 0; step < WIDTH / 16; ++step)
            for (int n = 0; n < KEYS / 16; ++n) {
                // Two matrices of eight keys, two of the next eight.
                Pair pairs[4];
                int key = n * 16 + lane / 16 * 8 + lane % 8;
                load_matrices_8x8<false>(pairs, key_tile + key * ROW<WIDTH> + step * 16 + lane / 8 % 2 * 8);
                mma_16816<BF16>(logits[2 * n], q_fragment[step], pairs);
                mma_16816<BF16>(logits[2 * n + 1], q_fragment[step], pairs + 2);
            }
        // The next keys come while the values are weighted.
        sync_block();
        if (!is_last) begin_tile<WIDTH>(key_tile, k, stride, first + KEYS, keys, width);
        commit_group();

        if (is_last)
            for (int n = 0; n < KEYS / 8; ++n)
                for (int i = 0; i < 4; ++i)
                    if (first + n * 8 + lane % 4 * 2 + i % 2 >= keys) logits[n][i] = -INFINITY;
        for (int half = 0; half < 2; ++half) {
            float top = row_max[half];
            for (int n = 0; n < KEYS / 8; ++n) top = fmaxf(top, fmaxf(logits[n][2 * half], logits[n][2 * half + 1]));
            top = fmaxf(top, shuffle_xor(top, 1));
            top = fmaxf(top, shuffle_xor(top, 2));
            // What was added up so far was relative to the maximum before.
            float rescale = exp2_approx((row_max[half] - top) * scale);
            row_max[half] = top;
            row_sum[half] *= rescale;
            for (int n = 0; n < WIDTH / 8; ++n) {
                accumulator[n][2 * half] *= rescale;
                accumulator[n][2 * half + 1] *= rescale;
            }
            for (int n = 0; n < KEYS / 8; ++n)
                for (int i = 2 * half; i < 2 * half + 2; ++i) {
                    logits[n][i] = exp2_approx((logits[n][i] - top) * scale);
                    row_sum[half] += logits[n][i];
                }
        }

        wait_group_1();
        sync_block();
        for (int j = 0; j < KEYS / 16; ++j) {
            // The sums of one product lie as the factor of the next.
            const float(&low)[4] = logits[2 * j], (&high)[4] = logits[2 * j + 1];
            const Pair weights[4] = {packed<BF16>(low[0], low[1]), packed<BF16>(low[2], low[3]),
                                     packed<BF16>(high[0], high[1]), packed<BF16>(high[2], high[3])};
            for (int n = 0; n < WIDTH / 16; ++n) {
                Pair pairs[4];
                int key = j * 16 + lane / 8 % 2 * 8 + lane % 8;
                load_matrices_8x8<true>(pairs, value_tile + key * ROW<WIDTH> + n * 16 + lane / 16 * 8);
                mma_16816<BF16>(accumulator[2 * n], weights, pairs);
                mma_16816<BF16>(accumulator[2 * n + 1], weights, pairs + 2);
            }
        }
        sync_block();
        if (!is_last) begin_tile<WIDTH>(value_tile, v, stride, first + KEYS, keys, width);
        commit_group();
    }

    for (int half = 0; half < 2; ++half) {
        float all = row_sum[half] + shuffle_xor(row_sum[half], 1);
        all += shuffle_xor(all, 2);
        int r = row + half * 8;
        for (int n = 0; n < WIDTH / 8; ++n) {
            int column = n * 8 + lane % 4 * 2;
            if (r < queries && column < width)
                *reinterpret_cast<Pair *>(out + r * stride + column) =
                    packed<BF16>(accumulator[n][2 * half] / all, accumulator[n][2 * half + 1] / all);
        }
    }
}

}  // namespace

#define ATTENTION(name, BF16, WIDTH)                                                                            \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                       \
        name(const Bits *q, const Bits *k, const Bits *v, Bits *out, int queries, int keys, int heads, int width, \
             float scale) {                                                                                     \
        attention<BF16, WIDTH>(q, k, v, out, queries, keys, heads, width, scale);                               \
    }
#define ATTENTION_OF_WIDTH(WIDTH)                   \
    ATTENTION(attention_f16_##WIDTH, false, WIDTH)  \
    ATTENTION(attention_bf16_##WIDTH, true, WIDTH)

// Heads of 40 (Stable Diffusion 1), 64 (2, XL, 3), 80 (1), 96, and 128 (FLUX, Z-Image, Chroma).
ATTENTION_OF_WIDTH(48)
ATTENTION_OF_WIDTH(64)
ATTENTION_OF_WIDTH(80)
ATTENTION_OF_WIDTH(96)
ATTENTION_OF_WIDTH(128)
