// Runs the bench's networks in MNN: `mnn THREADS`. The network is built with MNN's
// Express, stored as its converter would, and run by a session.
//
// As in the converter, a ReLU is part of its convolution; activations with slopes
// and sums are operations of their own. The border of edge values, which Express
// does not offer, is a loop here. A transposed convolution runs as a convolution
// and a pixel shuffle. A PReLU whose slopes are equal runs as the leaky ReLU that
// it is.
#include <MNN/Interpreter.hpp>
#include <MNN/Tensor.hpp>
#include <MNN/expr/ExprCreator.hpp>
#include <cstring>

#include "serve.h"

using namespace MNN::Express;
using MNN::Interpreter;
using MNN::Tensor;

class Network : public Session {
  public:
    Network(const Graph &g, const std::vector<float> &picture, int w, int h, int threads) : graph(g), pixels(picture), w(w), h(h) {
        std::vector<VARP> values;
        VARP plain;  // the picture as it is
        auto value = [&](int i) {
            if (i >= 0) return values[i];
            if (plain.get() == nullptr) plain = _Convert(input("picture", w, h), NC4HW4);
            return plain;
        };
        for (size_t i = 0; i < graph.nodes.size(); i++) {
            const Node &n = graph.nodes[i];
            if (n.op == "conv") {
                // What reads it and nothing else is the next node, where that is a ReLU.
                const bool relu = i + 1 < graph.nodes.size() && graph.readers(i) == 1 && graph.nodes[i + 1].op == "activate" &&
                                  graph.nodes[i + 1].act == RELU && graph.nodes[i + 1].inputs[0] == int(i);
                std::vector<float> bias = n.bias;
                bias.resize(n.out);
                VARP x;
                INTS pads = {n.above, n.left, n.below, n.right};
                if (n.edge) {
                    if (n.inputs[0] != -1) throw std::runtime_error("a border of edge values inside the network");
                    bordered.push_back(&n);
                    x = _Convert(input("picture" + std::to_string(bordered.size()), w + n.left + n.right, h + n.above + n.below), NC4HW4);
                    pads = {0, 0, 0, 0};
                } else {
                    x = value(n.inputs[0]);
                }
                values.push_back(_Conv(std::vector<float>(n.weights), std::move(bias), x, {n.in, n.out}, {n.kernel, n.kernel}, CAFFE,
                                       {n.stride, n.stride}, {1, 1}, n.groups, pads, relu));
            } else if (n.op == "activate") {
                values.push_back(activated(n, i, value(n.inputs[0])));
            } else if (n.op == "add") {
                values.push_back(_Add(value(n.inputs[0]), value(n.inputs[1])));
            } else if (n.op == "shuffle") {
                // (channels*s*s, height, width) to (channels, height, s, width, s)
                const int s = n.factor, high = heightOf(value(n.inputs[0])), wide = widthOf(value(n.inputs[0]));
                VARP x = _Reshape(_Convert(value(n.inputs[0]), NCHW), {n.out, s, s, high, wide});
                values.push_back(_Reshape(_Transpose(x, {0, 3, 1, 4, 2}), {1, n.out, high * s, wide * s}));
            } else {
                throw std::runtime_error("operation " + n.op + " is none of the bench's networks");
            }
        }
        VARP last = _Convert(values.back(), NCHW);
        last->setName("result");
        std::vector<int8_t> file = Variable::save({last});
        net.reset(Interpreter::createFromBuffer(file.data(), file.size()), Interpreter::destroy);
        net->setSessionMode(Interpreter::Session_Release);
        MNN::ScheduleConfig config;
        config.numThread = threads;
        config.saveTensors = {"result"};
        MNN::BackendConfig backend;
        backend.precision = MNN::BackendConfig::Precision_High;
        config.backendConfig = &backend;
        session = net->createSession(config);
        if (!session) throw std::runtime_error("createSession failed");
    }

    void run() override {
        if (Tensor *t = net->getSessionInput(session, "picture")) fill(t, pixels);
        for (size_t i = 0; i < bordered.size(); i++) {
            const Node &n = *bordered[i];
            std::vector<float> &b = borders[i];
            b.resize(size_t(graph.colors) * (w + n.left + n.right) * (h + n.above + n.below));
            Graph::edges(b.data(), pixels.data(), graph.colors, w, h, n);
            fill(net->getSessionInput(session, ("picture" + std::to_string(i + 1)).c_str()), b);
        }
        if (net->runSession(session) != MNN::NO_ERROR) throw std::runtime_error("runSession failed");
    }

    std::vector<float> output() override {
        Tensor *t = net->getSessionOutput(session, "result");
        Tensor host(t, Tensor::CAFFE);
        t->copyToHostTensor(&host);
        return {host.host<float>(), host.host<float>() + host.elementSize()};
    }

  private:
    const Graph graph;
    const std::vector<float> pixels;
    const int w, h;
    std::vector<const Node *> bordered;  // convolutions that read the picture with a border
    std::map<size_t, std::vector<float>> borders;
    std::shared_ptr<Interpreter> net;
    MNN::Session *session;

    VARP input(const std::string &name, int wide, int high) const {
        VARP x = _Input({1, graph.colors, high, wide}, NCHW);
        x->setName(name);
        return x;
    }

    static int heightOf(VARP x) { return x->getInfo()->dim[2]; }
    static int widthOf(VARP x) { return x->getInfo()->dim[3]; }

    static void fill(Tensor *t, const std::vector<float> &values) {
        memcpy(t->host<float>(), values.data(), values.size() * sizeof(float));
    }

    VARP activated(const Node &n, size_t i, VARP x) const {
        switch (n.act) {
        case RELU:
            if (graph.nodes[i - 1].op == "conv" && n.inputs[0] == int(i) - 1 && graph.readers(n.inputs[0]) == 1) return x;
            return _Relu(x);
        case TANH: return _Tanh(x);
        case PRELU:
            for (float s : n.slope)
                if (s != n.slope[0]) throw std::runtime_error("PReLU with different slopes");
            return _Relu(x, n.slope[0]);
        }
        throw std::runtime_error("activation " + std::to_string(n.act) + " is none of the bench's networks");
    }
};

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    return serve(std::string("MNN ") + MNN::getVersion(), [&](const Graph &g, const std::vector<float> &picture, int w, int h) {
        return std::make_unique<Network>(convolved(g), picture, w, h, threads);
    });
}
