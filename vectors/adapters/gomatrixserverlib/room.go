package main

import (
	"encoding/json"
	"fmt"
	"sort"

	gmsl "github.com/matrix-org/gomatrixserverlib"
)

const implementation = "gomatrixserverlib v0.0.0-20250815065806-6697d93cbcba"

type events map[string]gmsl.PDU

func readEvents(raw map[string]json.RawMessage, version gmsl.IRoomVersion) (events, error) {
	found := make(events, len(raw))
	for id, pdu := range raw {
		event, err := version.NewEventFromTrustedJSONWithEventID(id, pdu, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		found[id] = event
	}
	return found, nil
}

func (known events) all(ids []string) ([]gmsl.PDU, error) {
	found := make([]gmsl.PDU, 0, len(ids))
	for _, id := range ids {
		event, there := known[id]
		if !there {
			return nil, fmt.Errorf("unknown event %s", id)
		}
		found = append(found, event)
	}
	return found, nil
}

// above gives what lies above events in their auth events, and in version 12 the create event.
func (known events) above(given []gmsl.PDU, version gmsl.IRoomVersion) []gmsl.PDU {
	seen := map[string]bool{}
	found := []gmsl.PDU{}
	stack := append([]gmsl.PDU{}, given...)
	for len(stack) > 0 {
		event := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, id := range parents(event, version) {
			if parent, there := known[id]; there && !seen[id] {
				seen[id] = true
				found = append(found, parent)
				stack = append(stack, parent)
			}
		}
	}
	return found
}

func parents(event gmsl.PDU, version gmsl.IRoomVersion) []string {
	ids := event.AuthEventIDs()
	if version.DomainlessRoomIDs() && event.Type() != "m.room.create" {
		ids = append(append([]string{}, ids...), "$"+event.RoomID().String()[1:])
	}
	return ids
}

func authTypes(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	event, err := readEvent(input, version)
	if err != nil {
		return nil, err
	}
	keys := [][2]string{}
	for _, tuple := range gmsl.StateNeededForAuth([]gmsl.PDU{event}).Tuples() {
		keys = append(keys, [2]string{tuple.EventType, tuple.StateKey})
	}
	sort.Slice(keys, func(i, j int) bool {
		return keys[i][0] < keys[j][0] || (keys[i][0] == keys[j][0] && keys[i][1] < keys[j][1])
	})
	return map[string]any{"keys": keys}, nil
}

func auth(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given struct {
		Events map[string]json.RawMessage `json:"events"`
		Event  string                     `json:"event"`
		State  *[]string                  `json:"state"`
	}
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	known, err := readEvents(given.Events, version)
	if err != nil {
		return nil, err
	}
	event, there := known[given.Event]
	if !there {
		return nil, fmt.Errorf("unknown event %s", given.Event)
	}
	ids := given.State
	if ids == nil {
		cited := parents(event, version)
		ids = &cited
	}
	state, err := known.all(*ids)
	if err != nil {
		return nil, err
	}
	provider, err := gmsl.NewAuthEvents(state)
	if err != nil {
		return nil, err
	}
	err = gmsl.Allowed(event, provider, userOf)
	return map[string]any{"allowed": err == nil, "detail": detail(err)}, nil
}

type resolveInput struct {
	Events    map[string]json.RawMessage `json:"events"`
	StateSets [][]string                 `json:"state_sets"`
	Rejected  []string                   `json:"rejected"`
}

// problem is a resolution that is ready to run.
type problem struct {
	version    gmsl.IRoomVersion
	events     events
	stateSets  [][]gmsl.PDU
	isRejected gmsl.IsRejected
}

func (given resolveInput) problem(version gmsl.IRoomVersion) (*problem, error) {
	known, err := readEvents(given.Events, version)
	if err != nil {
		return nil, err
	}
	sets := make([][]gmsl.PDU, 0, len(given.StateSets))
	for _, ids := range given.StateSets {
		state, err := known.all(ids)
		if err != nil {
			return nil, err
		}
		sets = append(sets, state)
	}
	rejected := map[string]bool{}
	for _, id := range given.Rejected {
		rejected[id] = true
	}
	return &problem{version, known, sets, func(id string) bool { return rejected[id] }}, nil
}

// authEvents gives what the function is handed beside the states: all that lies above them.
func (one *problem) authEvents() []gmsl.PDU {
	var all []gmsl.PDU
	for _, state := range one.stateSets {
		all = append(all, state...)
	}
	return one.events.above(all, one.version)
}

// resolved calls ResolveConflictsNew, which is handed the states, and ResolveConflicts, which is handed their
// events alone, where the new one fails at once: with fewer than two states and by version 2.1.
func (one *problem) resolved(authEvents []gmsl.PDU) ([]gmsl.PDU, error) {
	if len(one.stateSets) < 2 || one.version.StateResAlgorithm() == gmsl.StateResV2_1 {
		var all []gmsl.PDU
		for _, state := range one.stateSets {
			all = append(all, state...)
		}
		return gmsl.ResolveConflicts(one.version.Version(), all, authEvents, userOf, one.isRejected)
	}
	return gmsl.ResolveConflictsNew(
		one.version.Version(), one.stateSets, authEvents, userOf, one.isRejected,
	)
}

// sortedIDs gives what is answered of a resolved state.
func sortedIDs(state []gmsl.PDU) []string {
	ids := make([]string, 0, len(state))
	for _, event := range state {
		ids = append(ids, event.EventID())
	}
	sort.Strings(ids)
	return ids
}

func resolve(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error) {
	var given resolveInput
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	one, err := given.problem(version)
	if err != nil {
		return nil, err
	}
	state, err := one.resolved(one.authEvents())
	if err != nil {
		return nil, err
	}
	return map[string]any{"state": sortedIDs(state)}, nil
}
