// GET / and /slow, POST /echo; it tells with which deploy it came.

package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	number, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(number), "zdd"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	stopped := make(chan struct{})
	go stop(server, stopped)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-stopped
}

// stop lets requests in flight end when SIGTERM comes.
func stop(server *http.Server, stopped chan struct{}) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	if err := server.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
	close(stopped)
}

func answer(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path == "/slow" {
		time.Sleep(500 * time.Millisecond)
	}
	writer.Header().Set("X-Deploy", os.Getenv("ZDD_DEPLOY"))
	if request.Method == http.MethodPost {
		body, _ := io.ReadAll(request.Body)
		writer.Write(body)
		return
	}
	io.WriteString(writer, "hello\n")
}
