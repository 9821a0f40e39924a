// What a warp of an NVIDIA GPU does as one (PTX ISA, "Warp Level Matrix Instructions" and "Data Movement"; GPUs from
// compute capability 8.0 on). Values of 16 bits are bits here: f16, or bf16 where BF16 is set. A test has a file of
// this name with the same functions for the processor.
#pragma once

using Bits = unsigned short;
using Pair = unsigned int;

// Two values in 16 bits, the first in the lower half.
template <bool BF16> __device__ Pair packed(float first, float second) {
    Pair pair;
    if (BF16)
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    else
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

// sums += a·b, [16, 8] += [16, 16]·[16, 8]. Of `sums` a lane holds row lane/4 in 0 and 1 and row lane/4 + 8 in 2 and 3, columns
// lane%4*2 and the next; of `a` the same rows and columns in 0 and 1, and eight columns further in 2 and 3; of `b` rows
// lane%4*2 and the next in 0, eight rows further in 1, column lane/4.
template <bool BF16> __device__ void mma_16816(float (&sums)[4], const Pair (&a)[4], const Pair *b) {
    if (BF16)
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    else
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices [8, 8] from shared memory. `row`: of lanes 0 to 7 the rows of the first, and so on. A lane gets of each
// row lane/4, columns lane%4*2 and the next; TRANSPOSED: column lane/4, rows lane%4*2 and the next.
template <bool TRANSPOSED> __device__ void load_matrices_8x8(Pair (&pairs)[4], const Bits *row) {
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    if (TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
                     : "r"(address)
                     : "memory");
}

// Begins to copy 16 bytes to shared memory, or zeros where they are not `there`; both places are multiples of 16 bytes.
__device__ inline void copy_async_16(Bits *to, const Bits *from, bool there) {
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(there ? 16 : 0) : "memory");
}

// Ends a group of copies, which may be empty.
__device__ inline void commit_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most the last group of this thread's copies is under way.
__device__ inline void wait_group_1() { asm volatile("cp.async.wait_group 1;" ::: "memory"); }

// The value of the lane whose number differs in these bits.
__device__ inline float shuffle_xor(float value, int bits) { return __shfl_xor_sync(0xffffffffu, value, bits); }

__device__ inline float exp2_approx(float exponent) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
    return power;
}

__device__ inline void sync_block() { __syncthreads(); }
