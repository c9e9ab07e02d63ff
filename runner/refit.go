package runner

import (
	"context"
	"fmt"

	"evosr/configs"
	"evosr/network"
	"evosr/rundir"
	"evosr/supernet"
)

// refitOf refits networks as cfg says, to patches of set; where it says 0, they
// stay as they are.
func refitOf(cfg *configs.Config, set supernet.Source) (func(*network.Graph) (*network.Graph, error), error) {
	if cfg.Search.Refit == 0 {
		return func(net *network.Graph) (*network.Graph, error) { return net, nil }, nil
	}
	f, err := supernet.NewRefit(set, cfg.Space.Scale, cfg.Space.Colors, supernet.RefitOptions{
		Count: cfg.Search.Refit, Patch: cfg.Train.Patch, Seed: rundir.Stream(cfg.Seed, "refit")})
	if err != nil {
		return nil, err
	}
	return f.Net, nil
}

// Refit refits a network as a search of cfg does before it scores it: its last
// layer, to search.refit patches of data.train. report may be nil.
func Refit(ctx context.Context, net *network.Graph, cfg *configs.Config, report func(Progress)) (*network.Graph, error) {
	if cfg.Search.Refit == 0 {
		return nil, fmt.Errorf("%w: search.refit: 0, want the patches to refit to", rundir.ErrUsage)
	}
	if net.Scale != cfg.Space.Scale || net.Colors != cfg.Space.Colors {
		return nil, fmt.Errorf("%w: scale: %d, want %d, the network's", rundir.ErrUsage, cfg.Space.Scale, net.Scale)
	}
	r := &run{cfg: cfg, report: reporter{to: report}}
	tell := func(what string, done, total int) {
		r.report.tell(rundir.StageData, what, float64(done), float64(total), 0)
	}
	photos := *cfg
	photos.Data.Validation = configs.Procedural // is not read
	var err error
	if r.pictures, err = rundir.LoadPictures(ctx, &photos, tell); err != nil {
		return nil, err
	}
	if r.pictures.TrainHash == "" {
		if err := r.drawTrain(ctx, rundir.StageData); err != nil {
			return nil, err
		}
	}
	set, err := r.deal(ctx, rundir.StageData)
	if err != nil {
		return nil, err
	}
	refit, err := refitOf(cfg, set)
	if err != nil {
		return nil, err
	}
	return refit(net)
}
