// Runs CUDA kernels on the processor, each thread of a block a fiber: what a warp or a block does as one waits until all of
// them have come. Copies to shared memory take place as late as they may, and each warp goes on as far as it can before the
// next does, from either end, so that a kernel that does not wait where it must is found out.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(threads)

struct Place { int x, y; };
static Place threadIdx, blockIdx;

using Bits = unsigned short;
using Pair = unsigned int;

namespace processor {

struct Copy {
    Bits *to;
    const Bits *from;
    bool there;
};

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(1 << 17);
    int number = 0;
    bool is_done = false;
    // Groups of copies that have not taken place; the last one is still open.
    std::deque<std::vector<Copy>> copies = std::deque<std::vector<Copy>>(1);
};

// What the threads of a warp or a block wait for each other with.
struct Barrier {
    int arrived = 0, held = 0;
};

static ucontext_t scheduler;
static std::vector<std::unique_ptr<Fiber>> fibers;
static Fiber *running;
static std::vector<Barrier> warps;
static Barrier block;
// The operands of each lane in a collective operation of its warp.
static std::vector<void *> operands;
// Counts what lets others go on.
static int progress;

inline void pause() { swapcontext(&running->context, &scheduler); }

// Waits until `size` fibers are here; the last one does `work` for all.
template <typename Work> void arrive_and_wait(Barrier &barrier, int size, Work work) {
    int number = barrier.held;
    ++progress;
    if (++barrier.arrived == size) {
        work();
        barrier.arrived = 0;
        ++barrier.held;
    }
    while (barrier.held == number) pause();
}

// A collective operation of the warp: `work` gets the operands of its 32 lanes.
template <typename Operands, typename Work> void warp_collective(Operands &own, Work work) {
    int warp = running->number / 32;
    operands[running->number] = &own;
    arrive_and_wait(warps[warp], 32, [&] { work(reinterpret_cast<Operands **>(&operands[warp * 32])); });
}

// Runs the lanes of a warp as far as they come without the others. Whether any are left.
inline bool run_warp(int warp) {
    bool is_left = false;
    for (int before = progress - 1; before != progress;) {
        before = progress;
        for (int i = warp * 32; i < warp * 32 + 32; ++i) {
            if (fibers[i]->is_done) continue;
            running = fibers[i].get();
            threadIdx = {i, 0};
            swapcontext(&scheduler, &running->context);
            is_left |= !running->is_done;
        }
    }
    return is_left;
}

// Runs a kernel for one block after another.
template <typename Kernel> void run(Place blocks, int threads, bool backwards, const Kernel &kernel) {
    static const Kernel *current;
    current = &kernel;
    for (blockIdx.y = 0; blockIdx.y < blocks.y; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < blocks.x; ++blockIdx.x) {
            fibers.clear();
            warps.assign(threads / 32, {});
            block = {};
            operands.assign(threads, nullptr);
            for (int i = 0; i < threads; ++i) {
                auto fiber = std::make_unique<Fiber>();
                fiber->number = i;
                getcontext(&fiber->context);
                fiber->context.uc_stack.ss_sp = fiber->stack.data();
                fiber->context.uc_stack.ss_size = fiber->stack.size();
                fiber->context.uc_link = &scheduler;
                void (*entry)() = [] {
                    (*current)();
                    running->is_done = true;
                    ++progress;
                };
                makecontext(&fiber->context, entry, 0);
                fibers.push_back(std::move(fiber));
            }
            for (bool is_left = true; is_left;) {
                is_left = false;
                for (int warp = 0; warp < threads / 32; ++warp)
                    is_left |= run_warp(backwards ? threads / 32 - 1 - warp : warp);
            }
        }
}

inline float of_bf16(Bits bits) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

// Rounded to the nearest, ties to even.
inline Bits to_bf16(float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, 4);
    return (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
}

inline float of_f16(Bits bits) {
    _Float16 value;
    std::memcpy(&value, &bits, 2);
    return value;
}

inline Bits to_f16(float value) {
    _Float16 half = value;
    Bits bits;
    std::memcpy(&bits, &half, 2);
    return bits;
}

template <bool BF16> float value_of(Pair pair, int which) {
    Bits bits = pair >> 16 * which & 0xffff;
    return BF16 ? of_bf16(bits) : of_f16(bits);
}

}  // namespace processor

template <bool BF16> Pair packed(float first, float second) {
    using namespace processor;
    return BF16 ? to_bf16(first) | to_bf16(second) << 16 : to_f16(first) | to_f16(second) << 16;
}

template <bool BF16> void mma_16816(float (&sums)[4], const Pair (&a)[4], const Pair *b) {
    struct Factors {
        float *sums;
        const Pair *a, *b;
    } own{sums, a, b};
    processor::warp_collective(own, [](Factors **lanes) {
        float left[16][16], right[16][8];
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 2; ++i) {
                for (int part = 0; part < 4; ++part)
                    left[lane / 4 + part % 2 * 8][lane % 4 * 2 + part / 2 * 8 + i] = processor::value_of<BF16>(lanes[lane]->a[part], i);
                for (int part = 0; part < 2; ++part)
                    right[lane % 4 * 2 + part * 8 + i][lane / 4] = processor::value_of<BF16>(lanes[lane]->b[part], i);
            }
        for (int lane = 0; lane < 32; ++lane)
            for (int part = 0; part < 4; ++part)
                for (int k = 0; k < 16; ++k)
                    lanes[lane]->sums[part] += left[lane / 4 + part / 2 * 8][k] * right[k][lane % 4 * 2 + part % 2];
    });
}

template <bool TRANSPOSED> void load_matrices_8x8(Pair (&pairs)[4], const Bits *row) {
    struct Rows {
        Pair *pairs;
        const Bits *row;
    } own{pairs, row};
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) std::abort();
    processor::warp_collective(own, [](Rows **lanes) {
        for (int lane = 0; lane < 32; ++lane)
            for (int matrix = 0; matrix < 4; ++matrix) {
                Bits two[2];
                for (int i = 0; i < 2; ++i) {
                    int r = TRANSPOSED ? lane % 4 * 2 + i : lane / 4, c = TRANSPOSED ? lane / 4 : lane % 4 * 2 + i;
                    two[i] = lanes[matrix * 8 + r]->row[c];
                }
                lanes[lane]->pairs[matrix] = two[0] | two[1] << 16;
            }
    });
}

inline void copy_async_16(Bits *to, const Bits *from, bool there) {
    if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) std::abort();
    // What the copy will replace is not to be read any more.
    std::memset(to, 0x7f, 16);
    processor::running->copies.back().push_back({to, from, there});
}

inline void commit_group() { processor::running->copies.emplace_back(); }

inline void wait_group_1() {
    auto &copies = processor::running->copies;
    // The last one of the queue is open.
    for (; copies.size() > 2; copies.pop_front())
        for (auto &copy : copies.front()) {
            if (copy.there)
                std::memcpy(copy.to, copy.from, 16);
            else
                std::memset(copy.to, 0, 16);
        }
}

inline float shuffle_xor(float value, int bits) {
    struct Exchange {
        float own, other;
        int bits;
    } own{value, 0, bits};
    processor::warp_collective(own, [](Exchange **lanes) {
        for (int lane = 0; lane < 32; ++lane) lanes[lane]->other = lanes[lane ^ lanes[lane]->bits]->own;
    });
    return own.other;
}

inline float exp2_approx(float exponent) { return std::exp2(exponent); }

inline void sync_block() {
    processor::arrive_and_wait(processor::block, static_cast<int>(processor::fibers.size()), [] {});
}
