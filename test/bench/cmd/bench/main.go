// Command bench starts a mock model, Redis and several gateways, runs the same
// scenarios against each in turn (A B C, A B C, ...), and reports medians of
// the ratios of each round, with the CPU time and memory of each gateway taken
// from /proc.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"llmgwbench/internal/parts"
	"llmgwbench/internal/record"
)

// options are the flags.
type options struct {
	targets, bin, run, conf, out string
	scenarios, only              string
	rounds, users                int
	secs                         float64
	quiet, budget                time.Duration
	openai                       bool
	alg, tier, model, mock       string
	profile, report, scan        string
}

func flags() options {
	var o options
	flag.StringVar(&o.targets, "targets", "targets.json", "targets to run")
	flag.StringVar(&o.bin, "bin", "", "folder holding the gateways' binaries (${BIN})")
	flag.StringVar(&o.run, "run", "", "scratch folder (${RUN}); default a new temporary one")
	flag.StringVar(&o.conf, "conf", "conf", "configuration templates, expanded into ${RUN}/conf")
	flag.StringVar(&o.out, "out", "", "raw JSON results file")
	flag.StringVar(&o.scenarios, "scenarios", ".", "regexp of scenarios")
	flag.StringVar(&o.only, "only", "", "comma-separated targets (default all)")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds over all scenarios and targets; as many again for pairs that others disturbed")
	flag.Float64Var(&o.secs, "secs", 3, "measured seconds per run")
	flag.DurationVar(&o.quiet, "quiet", 8*time.Second, "wait at most this long before a run for other processes to calm down")
	flag.DurationVar(&o.budget, "budget", time.Hour, "begin no run after this time")
	flag.BoolVar(&o.openai, "openai", false, "use the OpenAI dialect where a target speaks both")
	flag.StringVar(&o.alg, "alg", "RS256", "token signature: RS256 or ES256")
	flag.IntVar(&o.users, "users", 64, "distinct users (tokens)")
	flag.StringVar(&o.tier, "tier", "pro", "tier claim in the tokens")
	flag.StringVar(&o.model, "model", "claude-3-opus", "model asked for")
	flag.StringVar(&o.mock, "mock", "127.0.0.1:9100", "mock upstream address")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU and allocation profiles of every run; figures are then worth nothing")
	flag.StringVar(&o.report, "report", "", "comma-separated result files: print their tables, run nothing")
	flag.StringVar(&o.scan, "scan", "", "output of the scanner's Go benchmark, for the row scan_gbs")
	flag.Parse()
	return o
}

func main() {
	log.SetFlags(log.Ltime)
	o := flags()
	if o.report != "" {
		if err := show(os.Stdout, strings.Split(o.report, ","), o.scan); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	want, err := regexp.Compile(o.scenarios)
	if err != nil {
		return err
	}
	h := &harness{options: o, began: time.Now(), parts: parts.Proxy()}
	defer h.stop()
	cfg, err := h.setup()
	if err != nil {
		return err
	}
	if err := h.start(ctx, cfg); err != nil {
		return err
	}
	if err := h.rounds(ctx, want); err != nil {
		return err
	}
	if o.out == "" || o.profile != "" {
		return nil
	}
	return show(os.Stdout, []string{o.out}, o.scan)
}

// show prints the tables of result files, then one summary line per part.
func show(w io.Writer, files []string, scan string) error {
	all, err := record.Read(files...)
	if err != nil {
		return err
	}
	tables(w, all)
	list := parts.Proxy()
	for _, p := range list {
		p.Table(w, all)
	}
	speed, err := scanSpeed(scan)
	if err != nil {
		return err
	}
	return summary(w, list, all, speed)
}
