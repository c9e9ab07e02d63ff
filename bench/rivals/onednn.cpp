// Runs the bench's networks as oneDNN primitives: `onednn THREADS`.
//
// Convolutions choose their own layouts, get what follows them (activation, sum)
// as post-operations, and values are reordered only where two disagree. The border
// of edge values around the picture and the pixel shuffle, for which oneDNN has no
// primitive, are loops here. A transposed convolution runs as a convolution and a
// pixel shuffle, several times as fast as oneDNN's own with one channel out. A PReLU whose slopes are equal runs as the leaky
// ReLU that it is: oneDNN's own PReLU falls to its reference code.
#include <dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "serve.h"

using namespace dnnl;
using dims = memory::dims;
using tag = memory::format_tag;
const auto F32 = memory::data_type::f32;

struct Value {
    memory mem;
    int c, h, w;
};

// Pool lends memory: what nobody reads any more is written again, so that values
// stay in the caches as long as they can.
class Pool {
  public:
    ~Pool() {
        for (auto &b : blocks) free(b.first);
    }

    // lend makes memory of a layout.
    memory lend(const memory::desc &d, const engine &e) {
        const size_t want = d.get_size();
        void *best = nullptr;
        for (auto &b : blocks)
            if (!b.second.used && b.second.size >= want && (!best || b.second.size < blocks[best].size)) best = b.first;
        if (!best) {
            best = aligned_alloc(4096, (want + 4095) / 4096 * 4096);
            if (!best) throw std::bad_alloc();
            blocks[best].size = want;
        }
        blocks[best].used = true;
        return memory(d, e, best);
    }

    void back(const memory &m) {
        auto at = blocks.find(m.get_data_handle());
        if (at != blocks.end()) at->second.used = false;
    }

  private:
    struct Block {
        size_t size = 0;
        bool used = false;
    };
    std::map<void *, Block> blocks;
};

// Interleave is how many channels lie beside each other in memory, where the
// layout is that of whole rows of pixels (nchw: 1, nChw16c: 16, nhwc: all).
static int interleave(const memory::desc &d) {
    const auto &b = d.data.format_desc.blocking;
    if (b.inner_nblks == 1 && b.inner_idxs[0] == 1) return int(b.inner_blks[0]);
    return b.strides[1] == 1 && b.inner_nblks == 0 ? int(d.data.padded_dims[1]) : 1;
}

class Network : public Session {
  public:
    Network(const engine &e, const Graph &g, const std::vector<float> &picture, int w, int h) : eng(e), str(e), graph(g) {
        Value src = planar(g.colors, h, w);
        memcpy(src.mem.get_data_handle(), picture.data(), picture.size() * sizeof(float));
        values[-1] = src;
        for (int i = 0; i < int(g.nodes.size()); i++, tidy(i)) {
            if (values.count(i)) continue;  // part of a convolution before
            const Node &n = g.nodes[i];
            if (n.op == "conv")
                convolution(i);
            else if (n.op == "activate")
                activate(i);
            else if (n.op == "add")
                sum(i);
            else if (n.op == "shuffle")
                shuffle(i);
            else
                throw std::runtime_error("operation " + n.op + " is none of the bench's networks");
        }
        passing.clear();
        result = to(values.at(int(g.nodes.size()) - 1), {{1, g.colors, h * g.scale, w * g.scale}, F32, tag::nchw});
        str.wait();
    }

    void run() override {
        for (auto &s : steps) s();
        str.wait();
    }

    std::vector<float> output() override {
        const float *from = static_cast<const float *>(result.get_data_handle());
        return {from, from + result.get_desc().get_size() / sizeof(float)};
    }

  private:
    engine eng;
    stream str;
    const Graph graph;
    Pool pool;
    std::unordered_map<int, Value> values;  // by node; the memory of those that are read later is theirs
    std::vector<memory> passing;            // copies for the current node
    std::vector<std::function<void()>> steps;
    memory result;

    // planar makes room for values in planes.
    Value planar(int c, int h, int w) { return {pool.lend({{1, c, h, w}, F32, tag::nchw}, eng), c, h, w}; }

    // tidy takes back the memory that no node from this one on reads.
    void tidy(int next) {
        for (auto &m : passing) pool.back(m);
        passing.clear();
        std::vector<void *> live;
        for (auto &v : values)
            if (v.first < 0 || v.first + 1 == int(graph.nodes.size()) || readFrom(v.first, next, -1)) live.push_back(v.second.mem.get_data_handle());
        for (auto &v : values)
            if (std::find(live.begin(), live.end(), v.second.mem.get_data_handle()) == live.end()) pool.back(v.second.mem);
    }

    // to gives the values in a layout, reordered in every frame where they have
    // another one.
    memory to(const Value &v, const memory::desc &want) {
        if (v.mem.get_desc() == want) return v.mem;
        memory out = pool.lend(want, eng), in = v.mem;
        passing.push_back(out);
        reorder r(in, out);
        steps.push_back([this, r, in, out]() mutable { r.execute(str, in, out); });
        return out;
    }

    // constant reorders weights once.
    memory constant(const std::vector<float> &from, const dims &shape, tag layout, const memory::desc &want) {
        memory plain({shape, F32, layout}, eng);
        memcpy(plain.get_data_handle(), from.data(), from.size() * sizeof(float));
        memory out(want, eng);
        reorder(plain, out).execute(str, plain, out);
        str.wait();
        return out;
    }

    void after(post_ops &ops, const Node &n) const {
        switch (n.act) {
        case RELU: return ops.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
        case TANH: return ops.append_eltwise(1, algorithm::eltwise_tanh, 0, 0);
        case PRELU:
            for (float s : n.slope)
                if (s != n.slope[0]) throw std::runtime_error("PReLU with different slopes");
            return ops.append_eltwise(1, algorithm::eltwise_relu, n.slope[0], 0);
        }
        throw std::runtime_error("activation " + std::to_string(n.act) + " is none of the bench's networks");
    }

    // edges copies values with their border repeated around them.
    Value edges(const Value &v, const Node &n) {
        Value out = planar(v.c, v.h + n.above + n.below, v.w + n.left + n.right);
        passing.push_back(out.mem);
        memory in = to(v, {{1, v.c, v.h, v.w}, F32, tag::nchw});
        steps.push_back([this, in, out, v, &n] {
            str.wait();
            Graph::edges(static_cast<float *>(out.mem.get_data_handle()), static_cast<const float *>(in.get_data_handle()), v.c, v.w, v.h, n);
        });
        return out;
    }

    void convolution(int i) {
        const Node &n = graph.nodes[i];
        if (n.groups != 1) throw std::runtime_error("a convolution in groups is none of the bench's networks");
        Value src = values.at(n.inputs[0]);
        dims low = {n.above, n.left}, high = {n.below, n.right}, step = {n.stride, n.stride};
        if (n.edge) {
            src = edges(src, n);
            low = high = {0, 0};
        }
        // What comes behind and is read by nobody else goes into the same pass: a
        // sum, then an activation.
        post_ops ops;
        int end = i;
        memory summed;
        auto next = [&]() -> const Node * {
            return graph.readers(end) == 1 && end + 1 < int(graph.nodes.size()) ? reader(end) : nullptr;
        };
        const Node *m = next();
        if (m && m->op == "add") {
            int other = m->inputs[0] == end ? m->inputs[1] : m->inputs[0];
            int at = index(m);
            // In place of the other summand, when that is made by now and nobody else reads it from here on.
            if (other >= 0 && values.count(other) && values[other].c == n.out && !readFrom(other, i, at)) {
                ops.append_sum(1);
                summed = values[other].mem;
                end = at;
                m = next();
            }
        }
        if (m && m->op == "activate") {
            after(ops, *m);
            end = index(m);
        }
        primitive_attr attr;
        attr.set_post_ops(ops);
        memory::desc a({1, src.c, src.h, src.w}, F32, tag::any), bias({n.out}, F32, tag::x);
        std::vector<float> zeros(n.out);
        const std::vector<float> &b = n.bias.empty() ? zeros : n.bias;
        Value dst;
        dst.c = n.out;
        dst.h = (src.h + low[0] + high[0] - n.kernel) / n.stride + 1;
        dst.w = (src.w + low[1] + high[1] - n.kernel) / n.stride + 1;
        dims shape = {n.out, n.in, n.kernel, n.kernel};
        memory::desc d = summed ? summed.get_desc() : memory::desc({1, n.out, dst.h, dst.w}, F32, tag::any);
        convolution_forward::primitive_desc pd({prop_kind::forward_inference, algorithm::convolution_auto, a, {shape, F32, tag::any},
                                                bias, d, step, low, high}, attr, eng);
        dst.mem = summed ? summed : pool.lend(pd.dst_desc(), eng);
        convolution_forward p(pd);
        std::unordered_map<int, memory> args;
        args[DNNL_ARG_WEIGHTS] = constant(n.weights, shape, tag::oihw, pd.weights_desc());
        args[DNNL_ARG_SRC] = to(src, pd.src_desc());
        args[DNNL_ARG_BIAS] = constant(b, {n.out}, tag::x, bias);
        args[DNNL_ARG_DST] = dst.mem;
        steps.push_back([this, p, args] { p.execute(str, args); });
        values[end] = dst;
    }

    const Node *reader(int i) const {
        for (const Node &m : graph.nodes)
            for (int j : m.inputs)
                if (j == i) return &m;
        return nullptr;
    }

    int index(const Node *n) const { return int(n - graph.nodes.data()); }

    // readFrom tells whether a node from number first on reads i, one apart.
    bool readFrom(int i, int first, int apart) const {
        for (int m = first; m < int(graph.nodes.size()); m++)
            for (int j : graph.nodes[m].inputs)
                if (j == i && m != apart) return true;
        return false;
    }

    void activate(int i) {
        const Node &n = graph.nodes[i];
        Value src = values.at(n.inputs[0]), dst = src;
        post_ops ops;
        after(ops, n);
        algorithm kind;
        float scale, alpha, beta;
        ops.get_params_eltwise(0, scale, kind, alpha, beta);
        dst.mem = pool.lend(src.mem.get_desc(), eng);
        eltwise_forward p(eltwise_forward::primitive_desc({prop_kind::forward_inference, kind, src.mem.get_desc(), alpha, beta}, eng));
        std::unordered_map<int, memory> args = {{DNNL_ARG_SRC, src.mem}, {DNNL_ARG_DST, dst.mem}};
        steps.push_back([this, p, args] { p.execute(str, args); });
        values[i] = dst;
    }

    void sum(int i) {
        const Node &n = graph.nodes[i];
        Value a = values.at(n.inputs[0]), b = values.at(n.inputs[1]), dst;
        if (a.c < b.c) std::swap(a, b);  // the second may be one channel for all
        dst = a;
        memory::desc layout = b.c == a.c ? a.mem.get_desc() : memory::desc({1, b.c, b.h, b.w}, F32, tag::nchw);
        b.mem = to(b, layout);
        dst.mem = pool.lend(a.mem.get_desc(), eng);
        binary p(binary::primitive_desc({algorithm::binary_add, a.mem.get_desc(), b.mem.get_desc(), dst.mem.get_desc()}, eng));
        std::unordered_map<int, memory> args = {{DNNL_ARG_SRC_0, a.mem}, {DNNL_ARG_SRC_1, b.mem}, {DNNL_ARG_DST, dst.mem}};
        steps.push_back([this, p, args] { p.execute(str, args); });
        values[i] = dst;
    }

    void shuffle(int i) {
        const Node &n = graph.nodes[i];
        const int s = n.factor;
        Value src = values.at(n.inputs[0]), dst = planar(n.out, src.h * s, src.w * s);
        const long step = interleave(src.mem.get_desc());
        steps.push_back([=] {
            str.wait();
            const float *from = static_cast<const float *>(src.mem.get_data_handle());
            float *into = static_cast<float *>(dst.mem.get_data_handle());
#pragma omp parallel for
            for (int y = 0; y < src.h; y++)
                for (int c = 0; c < dst.c; c++)
                    for (int r = 0; r < s; r++) {
                        float *row = into + (long(c) * dst.h + y * s + r) * dst.w;
                        for (int q = 0; q < s; q++) {
                            const long k = (c * s + r) * s + q;
                            const float *pixel = from + (k / step * src.h + y) * src.w * step + k % step;
                            for (int x = 0; x < src.w; x++) row[x * s + q] = pixel[x * step];
                        }
                    }
        });
        values[i] = dst;
    }
};

int main(int, char **) {
    engine eng(engine::kind::cpu, 0);
    const dnnl_version_t *v = dnnl_version();
    std::ostringstream name;
    name << "oneDNN " << v->major << '.' << v->minor << '.' << v->patch;
    return serve(name.str(), [&](const Graph &g, const std::vector<float> &picture, int w, int h) {
        return std::make_unique<Network>(eng, convolved(g), picture, w, h);
    });
}
