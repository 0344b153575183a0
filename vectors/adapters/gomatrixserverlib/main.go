// Answers the requests of the test vectors, in JSON Lines, with gomatrixserverlib.
//
// It translates and never decides: what it answers is what a function of the library gives for the input.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/sirupsen/logrus"
)

type request struct {
	ID          int64            `json:"id"`
	Operation   string           `json:"operation"`
	RoomVersion gmsl.RoomVersion `json:"room_version"`
	Input       json.RawMessage  `json:"input"`
}

type answer struct {
	ID          int64          `json:"id"`
	Output      map[string]any `json:"output,omitempty"`
	Error       string         `json:"error,omitempty"`
	Unsupported bool           `json:"unsupported,omitempty"`
}

// errUnsupported is what an operation gives that the library does not offer.
var errUnsupported = errors.New("unsupported")

type operation func(input json.RawMessage, version gmsl.IRoomVersion) (map[string]any, error)

var operations = map[string]operation{
	"canonical_json":    canonicalJSON,
	"event_format":      eventFormat,
	"event_id":          eventID,
	"redact":            redact,
	"required_signers":  requiredSigners,
	"verify_signatures": verifySignatures,
	"sign_json":         signJSON,
	"auth_types":        authTypes,
	"auth":              auth,
	"resolve":           resolve,
	"time":              timed,
}

func main() {
	// The library prints to standard output in places; only answers may be there.
	out := bufio.NewWriter(os.Stdout)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
	}
	logrus.SetOutput(io.Discard)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			if err := write(out, respond(line)); err != nil {
				log.Fatal(err)
			}
		}
		if err != nil {
			return
		}
	}
}

func write(out *bufio.Writer, given answer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(given); err != nil {
		return err
	}
	return out.Flush()
}

func respond(line []byte) (given answer) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{ID: -1, Error: err.Error()}
	}
	given.ID = asked.ID
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{ID: asked.ID, Error: fmt.Sprintf("panic: %v", reason)}
		}
	}()
	run, known := operations[asked.Operation]
	version, err := gmsl.GetRoomVersion(asked.RoomVersion)
	if !known || err != nil {
		given.Unsupported = true
		return given
	}
	output, err := run(asked.Input, version)
	switch {
	case errors.Is(err, errUnsupported):
		given.Unsupported = true
	case err != nil:
		given.Error = err.Error()
	default:
		given.Output = output
	}
	return given
}

// detail is the text of an error, or nil.
func detail(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}
