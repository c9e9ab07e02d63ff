// Runs the bench's networks in ncnn: `ncnn THREADS`. The network is written as
// ncnn's own text and weights, in memory, as its converters would.
//
// Activations are part of their convolution, where ncnn has that: ReLU, and a PReLU
// whose slopes are equal as the leaky ReLU that it is. A transposed convolution
// runs as a convolution and a pixel shuffle.
#include <allocator.h>
#include <net.h>
#include <platform.h>

#include <cstring>

#include "serve.h"

class Network : public Session {
  public:
    Network(const Graph &g, const std::vector<float> &picture, int w, int h, int threads) : graph(g), pixels(picture) {
        net.opt.num_threads = threads;
        net.opt.blob_allocator = &blobs;
        net.opt.workspace_allocator = &work;
        const std::string text = write();
        if (net.load_param_mem(text.c_str())) throw std::runtime_error("load_param_mem failed");
        if (size_t(net.load_model(reinterpret_cast<const unsigned char *>(weights.data()))) != weights.size() * sizeof(float))
            throw std::runtime_error("load_model did not read all weights");
        in.create(w, h, g.colors);
        for (int c = 0; c < g.colors; c++) memcpy(in.channel(c), &pixels[size_t(c) * w * h], size_t(w) * h * sizeof(float));
    }

    ~Network() override {
        out.release();
        net.clear();
    }

    void run() override {
        ncnn::Extractor ex = net.create_extractor();
        if (ex.input("picture", in) || ex.extract(name(int(graph.nodes.size()) - 1).c_str(), out)) throw std::runtime_error("extract failed");
    }

    std::vector<float> output() override {
        std::vector<float> values;
        for (int c = 0; c < out.c; c++) {
            const float *plane = out.channel(c);
            values.insert(values.end(), plane, plane + size_t(out.w) * out.h);
        }
        return values;
    }

  private:
    const Graph graph;
    const std::vector<float> pixels;
    std::vector<float> weights;
    ncnn::UnlockedPoolAllocator blobs;
    ncnn::PoolAllocator work;
    ncnn::Net net;
    ncnn::Mat in, out;

    static std::string name(int node) { return node < 0 ? "picture" : "v" + std::to_string(node); }

    // write gives the text of the layers and fills weights. Whatever is read more
    // than once is split before.
    std::string write() {
        std::ostringstream layers;
        std::map<int, int> served;  // readers of a split value so far
        int count = 0, values = 0;
        auto layer = [&](const std::string &type, const std::string &id, const std::vector<std::string> &from, const std::vector<std::string> &to) -> std::ostream & {
            layers << (count++ ? "\n" : "") << type << ' ' << id << ' ' << from.size() << ' ' << to.size();
            for (const auto &v : from) layers << ' ' << v;
            for (const auto &v : to) layers << ' ' << v;
            values += int(to.size());
            return layers;
        };
        auto readers = [&](int i) {
            int n = 0;
            for (const Node &m : graph.nodes)
                for (int j : m.inputs) n += j == i;
            return n;
        };
        auto split = [&](int i) {
            const int n = readers(i);
            if (n < 2) return;
            std::vector<std::string> to;
            for (int k = 0; k < n; k++) to.push_back(name(i) + "_" + std::to_string(k));
            layer("Split", "split" + name(i), {name(i)}, to);
        };
        auto read = [&](int i) { return readers(i) < 2 ? name(i) : name(i) + "_" + std::to_string(served[i]++); };
        layer("Input", "picture", {}, {"picture"});
        split(-1);
        for (int i = 0; i < int(graph.nodes.size()); i++) {
            const Node &n = graph.nodes[i];
            int end = i;
            const std::string id = "n" + std::to_string(i);
            if (n.op == "conv") {
                std::string src = read(n.inputs[0]);
                int pads[4] = {n.left, n.right, n.above, n.below};
                if (n.edge) {
                    layer("Padding", "p" + id, {src}, {"p" + name(i)}) << " 0=" << n.above << " 1=" << n.below << " 2=" << n.left << " 3=" << n.right << " 4=1";
                    src = "p" + name(i);
                    std::fill(pads, pads + 4, 0);
                }
                std::string fused;
                if (i + 1 < int(graph.nodes.size()) && readers(i) == 1) {
                    const Node &m = graph.nodes[i + 1];
                    if (m.op == "activate" && m.inputs[0] == i && m.act == RELU) fused = " 9=1";
                    if (m.op == "activate" && m.inputs[0] == i && m.act == PRELU) fused = " 9=2 -23310=1," + slope(m);
                    if (!fused.empty()) end = i + 1;
                }
                layer("Convolution", id, {src}, {name(end)})
                    << " 0=" << n.out << " 1=" << n.kernel << " 3=" << n.stride << " 4=" << pads[0] << " 15=" << pads[1] << " 14=" << pads[2] << " 16=" << pads[3]
                    << " 5=1 6=" << n.weights.size() << fused;
                weights.push_back(0);  // float32 follows
                weights.insert(weights.end(), n.weights.begin(), n.weights.end());
                std::vector<float> bias = n.bias;
                bias.resize(n.out);
                weights.insert(weights.end(), bias.begin(), bias.end());
            } else if (n.op == "activate" && n.act == TANH) {
                layer("TanH", id, {read(n.inputs[0])}, {name(i)});
            } else if (n.op == "activate" && (n.act == RELU || n.act == PRELU)) {
                layer("ReLU", id, {read(n.inputs[0])}, {name(i)}) << " 0=" << (n.act == RELU ? "0.0" : slope(n));
            } else if (n.op == "add") {
                const std::string a = read(n.inputs[0]), b = read(n.inputs[1]);
                layer("BinaryOp", id, {a, b}, {name(i)}) << " 0=0";
            } else if (n.op == "shuffle") {
                layer("PixelShuffle", id, {read(n.inputs[0])}, {name(i)}) << " 0=" << n.factor;
            } else {
                throw std::runtime_error("operation " + n.op + " is none of the bench's networks");
            }
            split(end);
            i = end;
        }
        return "7767517\n" + std::to_string(count) + " " + std::to_string(values) + "\n" + layers.str() + "\n";
    }

    static std::string slope(const Node &n) {
        for (float s : n.slope)
            if (s != n.slope[0]) throw std::runtime_error("PReLU with different slopes");
        std::ostringstream text;
        text << std::scientific << n.slope.at(0);
        return text.str();
    }
};

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    return serve(std::string("ncnn ") + NCNN_VERSION_STRING, [&](const Graph &g, const std::vector<float> &picture, int w, int h) {
        return std::make_unique<Network>(convolved(g), picture, w, h, threads);
    });
}
