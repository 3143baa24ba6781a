// Attention of each query over its own few keys, and its gradient; plain C++, called through ctypes.
// Tensors are (B, N, H, D) in memory, strides in elements, the last one 1. See native.py.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct bfloat16 {
    uint16_t bits;
    operator float() const {
        uint32_t wide = uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &wide, 4);
        return value;
    }
    bfloat16() = default;
    bfloat16(float value) {  // to nearest, ties to even
        uint32_t wide;
        std::memcpy(&wide, &value, 4);
        bits = uint16_t((wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16);
    }
};

template <typename T> struct Wide { using type = T; };
template <> struct Wide<bfloat16> { using type = float; };

// In the order of native.py's _Problem.
struct Problem {
    int64_t batch, heads, queries, keys, count, dim, value_dim, threads;
    int64_t q_strides[3], k_strides[3], v_strides[3], g_strides[3];  // B, N, H
    double scale;
    const int32_t* index;  // (queries, count): the key, or -1 for none
    const void *q, *k, *v, *bias, *grad;  // bias (heads, count) wide, or null
    void *out, *weights;  // out (B, N, H, V); weights (B, N, H, count) wide, the first of each row
    void *dq, *dk, *dv, *dbias;  // dk, dv wide, (B, N, H, D); dbias (B, H, count) wide, or null
};

// exp for x <= 0 without a call, so that the loop over the keys becomes vector code; error about 1e-7.
inline float power(float x) {
    x = std::max(x, -87.0f) * 1.44269504f;
    float whole = std::floor(x + 0.5f), t = (x - whole) * 0.693147181f;
    float value = 1 + t * (1 + t * (0.5f + t * (0.166666667f + t * (0.0416666667f + t * (0.00833333333f + t * 0.00138888889f)))));
    int32_t exponent = (int32_t(whole) + 127) << 23;
    float two;
    std::memcpy(&two, &exponent, 4);
    return value * two;
}
inline double power(double x) { return std::exp(x); }

template <typename T, typename W> inline W dot(const T* a, const T* b, int64_t size) {
    W sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; ++i) sum += W(a[i]) * W(b[i]);
    return sum;
}

template <typename T, typename W> inline void add(W* to, W factor, const T* from, int64_t size) {
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) to[i] += factor * W(from[i]);
}

// The keys that query n may attend to, found once for all heads: their number, places and slots.
struct Keys {
    std::vector<int64_t> place, slot;
    int64_t size = 0;
    explicit Keys(int64_t count) : place(count), slot(count) {}
    void find(const Problem& p, int64_t n) {
        size = 0;
        for (int64_t o = 0; o < p.count; ++o) {
            const int32_t key = p.index[n * p.count + o];
            place[size] = key, slot[size] = o, size += key >= 0;
        }
    }
};

template <typename T> inline T* at(const void* base, const int64_t* strides, int64_t b, int64_t n, int64_t h) {
    return (T*)base + b * strides[0] + n * strides[1] + h * strides[2];
}

// D is the width of q, k and v where it is known when compiling, which unrolls the loops; else 0.
template <typename T, int D> struct Kernel {
    using W = typename Wide<T>::type;
    const Problem& p;
    const int64_t dim = D ? D : p.dim, width = D ? D : p.value_dim;
    Keys keys{p.count};
    std::vector<W> scores = std::vector<W>(p.count), sum = std::vector<W>(std::max(p.dim, p.value_dim));

    void forward(int64_t b, int64_t n, int64_t h) {
        const T *q = at<T>(p.q, p.q_strides, b, n, h), *k = at<T>(p.k, p.k_strides, b, 0, h), *v = at<T>(p.v, p.v_strides, b, 0, h);
        const W* bias = p.bias ? (const W*)p.bias + h * p.count : nullptr;
        W* weights = (W*)p.weights + ((b * p.queries + n) * p.heads + h) * p.count;
        W largest = -INFINITY, total = 0;
        for (int64_t o = 0; o < keys.size; ++o) {
            scores[o] = dot<T, W>(q, k + keys.place[o] * p.k_strides[1], dim) * W(p.scale);
            if (bias) scores[o] += bias[keys.slot[o]];
            largest = std::max(largest, scores[o]);
        }
#pragma omp simd reduction(+ : total)
        for (int64_t o = 0; o < keys.size; ++o) total += weights[o] = power(scores[o] - largest);
        const W share = total > 0 ? 1 / total : W(0);
        W fixed[D ? D : 1] = {}, *values = D ? fixed : sum.data();
        if (!D) std::fill(sum.begin(), sum.end(), W(0));
        for (int64_t o = 0; o < keys.size; ++o) {
            weights[o] *= share;
            add<T, W>(values, weights[o], v + keys.place[o] * p.v_strides[1], width);
        }
        T* out = (T*)p.out + ((b * p.queries + n) * p.heads + h) * width;
        for (int64_t i = 0; i < width; ++i) out[i] = T(values[i]);
    }

    void backward(int64_t b, int64_t n, int64_t h) {
        const T *q = at<T>(p.q, p.q_strides, b, n, h), *k = at<T>(p.k, p.k_strides, b, 0, h), *v = at<T>(p.v, p.v_strides, b, 0, h);
        const T* grad = at<T>(p.grad, p.g_strides, b, n, h);
        const W* weights = (const W*)p.weights + ((b * p.queries + n) * p.heads + h) * p.count;
        W *dk = (W*)p.dk + (b * p.keys * p.heads + h) * dim, *dv = (W*)p.dv + (b * p.keys * p.heads + h) * width;
        W* dbias = p.dbias ? (W*)p.dbias + (b * p.heads + h) * p.count : nullptr;
        W mean = 0;
        for (int64_t o = 0; o < keys.size; ++o) {
            scores[o] = dot<T, W>(grad, v + keys.place[o] * p.v_strides[1], width);
            mean += weights[o] * scores[o];
        }
        W fixed[D ? D : 1] = {}, *dquery = D ? fixed : sum.data();
        if (!D) std::fill(sum.begin(), sum.end(), W(0));
        for (int64_t o = 0; o < keys.size; ++o) {
            const int64_t place = keys.place[o];
            const W dlogit = weights[o] * (scores[o] - mean), dscore = dlogit * W(p.scale);
            if (dbias) dbias[keys.slot[o]] += dlogit;
            add<T, W>(dquery, dscore, k + place * p.k_strides[1], dim);
            add<T, W>(dk + place * p.heads * dim, dscore, q, dim);
            add<T, W>(dv + place * p.heads * width, weights[o], grad, width);
        }
        T* dq = (T*)p.dq + ((b * p.queries + n) * p.heads + h) * dim;
        for (int64_t i = 0; i < dim; ++i) dq[i] = T(dquery[i]);
    }
};

// Gradients that several queries add to start at zero; part by part, so that they are warm when used.
template <typename W> void clear(const Problem& p, int64_t b, int64_t first, int64_t last) {
    for (int64_t m = 0; m < p.keys; ++m) {
        const int64_t row = (b * p.keys + m) * p.heads;
        std::fill_n((W*)p.dk + (row + first) * p.dim, (last - first) * p.dim, W(0));
        std::fill_n((W*)p.dv + (row + first) * p.value_dim, (last - first) * p.value_dim, W(0));
    }
    if (p.dbias) std::fill_n((W*)p.dbias + (b * p.heads + first) * p.count, (last - first) * p.count, W(0));
}

// A thread takes whole images, with all heads of a token in turn as they lie in memory; or, where there are
// fewer images than threads, single heads. Either way no two threads write to the same place.
template <typename T, int D> void run(const Problem& p, bool back) {
    const int64_t parts = p.batch < p.threads ? p.heads : 1, share = p.heads / parts;
#pragma omp parallel for num_threads(p.threads) schedule(static)
    for (int64_t part = 0; part < p.batch * parts; ++part) {
        const int64_t b = part / parts, first = part % parts * share, last = first + share;
        Kernel<T, D> kernel{p};
        if (back) clear<typename Wide<T>::type>(p, b, first, last);
        for (int64_t n = 0; n < p.queries; ++n) {
            kernel.keys.find(p, n);
            for (int64_t h = first; h < last; ++h) back ? kernel.backward(b, n, h) : kernel.forward(b, n, h);
        }
    }
}

template <typename T> void run(const Problem& p, bool back) {
    const int64_t dim = p.dim == p.value_dim ? p.dim : 0;
    if (dim == 16) run<T, 16>(p, back);
    else if (dim == 32) run<T, 32>(p, back);
    else if (dim == 64) run<T, 64>(p, back);
    else run<T, 0>(p, back);
}

}  // namespace

// One library per precision, -DPRECISION=float, double or bfloat16, halves the wait for the compiler.
extern "C" void attention(const Problem* problem, int back) { run<PRECISION>(*problem, back != 0); }
