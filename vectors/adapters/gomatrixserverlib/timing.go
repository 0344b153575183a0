package main

import (
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"syscall"
	"time"

	gmsl "github.com/matrix-org/gomatrixserverlib"
)

// timing is a problem with what is ready before the clock starts.
type timing struct {
	problem *problem
	mode    string
	ready   []gmsl.PDU
	split   split
}

// split is the events of some states, in those that the states agree on and the others.
type split struct {
	conflicted, unconflicted []gmsl.PDU
}

// change gives a state by how it differs from the first.
type change struct {
	Remove []string `json:"remove"`
	Add    []string `json:"add"`
}

// last is what was measured last, to be measured again.
var last *timing

func timed(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given struct {
		Again     bool         `json:"again"`
		Operation string       `json:"operation"`
		Input     resolveInput `json:"input"`
		Changes   []change     `json:"changes"`
		Runs      int          `json:"runs"`
		Mode      string       `json:"mode"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	if !given.Again {
		if given.Operation != "resolve" || !slices.Contains([]string{"warm", "cold", "split"}, given.Mode) {
			return nil, errUnsupported
		}
		last = nil
		one, err := given.Input.problem(version)
		if err != nil {
			return nil, err
		}
		if err := one.change(given.Changes); err != nil {
			return nil, err
		}
		last = &timing{problem: one, mode: given.Mode}
		switch given.Mode {
		case "warm":
			last.ready = one.authEvents()
		case "split":
			if version.StateResAlgorithm() == gmsl.StateResV1 {
				return nil, errUnsupported
			}
			last.split = one.split()
			last.ready = one.events.above(last.split.conflicted, version)
		}
	}
	if last == nil {
		return nil, errors.New("nothing was measured before")
	}
	return last.run(given.Runs)
}

// change adds states that are given by how they differ from the first.
func (one *problem) change(changes []change) error {
	for _, given := range changes {
		gone := map[string]bool{}
		for _, id := range given.Remove {
			gone[id] = true
		}
		added, err := one.events.all(given.Add)
		if err != nil {
			return err
		}
		state := make([]gmsl.PDU, 0, len(one.stateSets[0])+len(added))
		for _, event := range one.stateSets[0] {
			if !gone[event.EventID()] {
				state = append(state, event)
			}
		}
		one.stateSets = append(one.stateSets, append(state, added...))
	}
	return nil
}

// split gives what Dendrite hands to the library: it splits the states by numbers from its database.
func (one *problem) split() split {
	seen := map[string]int{}
	byKey := map[[2]string][]gmsl.PDU{}
	for _, state := range one.stateSets {
		for _, event := range state {
			seen[event.EventID()]++
			if seen[event.EventID()] == 1 && event.StateKey() != nil {
				key := [2]string{event.Type(), *event.StateKey()}
				byKey[key] = append(byKey[key], event)
			}
		}
	}
	var given split
	for _, found := range byKey {
		if len(found) == 1 && seen[found[0].EventID()] == len(one.stateSets) {
			given.unconflicted = append(given.unconflicted, found[0])
		} else {
			given.conflicted = append(given.conflicted, found...)
		}
	}
	// The library appends to the conflicted events: it must not write into this array.
	given.conflicted = slices.Clip(given.conflicted)
	return given
}

// resolved runs the function that is measured.
func (one *timing) resolved() ([]gmsl.PDU, error) {
	switch one.mode {
	case "cold":
		return one.problem.resolved(one.problem.authEvents())
	case "split":
		return gmsl.ResolveStateConflictsV2(
			one.split.conflicted, one.split.unconflicted, one.ready, userOf, one.problem.isRejected,
		), nil
	default:
		return one.problem.resolved(one.ready)
	}
}

func (one *timing) given() []string {
	switch one.mode {
	case "warm":
		return []string{"auth events"}
	case "split":
		return []string{"conflicted and unconflicted events", "auth events of the conflicted events"}
	default:
		return []string{}
	}
}

func (one *timing) run(runs int) (map[string]any, error) {
	seconds, cpuSeconds := []float64{}, []float64{}
	var state []gmsl.PDU
	// Garbage of earlier runs and of the input is collected before the clock starts. The collector then works as
	// in a server, with Go's default settings.
	runtime.GC()
	for range runs {
		cpu, start := cpuTime(), time.Now()
		resolved, err := one.resolved()
		elapsed := time.Since(start).Seconds()
		cpuSeconds = append(cpuSeconds, cpuTime()-cpu)
		if err != nil {
			return nil, err
		}
		state = resolved
		seconds = append(seconds, elapsed)
	}
	return map[string]any{
		"seconds": seconds, "cpu_seconds": cpuSeconds, "state": sortedIDs(state),
		"implementation": implementation, "given": one.given(),
	}, nil
}

// cpuTime gives the CPU time of this process so far, in seconds, the collector's included.
func cpuTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
