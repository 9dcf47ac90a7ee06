// gRPC's test service on grpc-go, as much of it as the bench calls. Prints its port; ends with standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	testing "google.golang.org/grpc/interop/grpc_testing"
)

var zeros = make([]byte, 4*1024*1024)

type echo struct {
	testing.UnimplementedTestServiceServer
}

func (echo) EmptyCall(context.Context, *testing.Empty) (*testing.Empty, error) {
	return &testing.Empty{}, nil
}

func (echo) FullDuplexCall(stream testing.TestService_FullDuplexCallServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		size := request.GetResponseParameters()[0].GetSize()
		answer := &testing.StreamingOutputCallResponse{Payload: &testing.Payload{Body: zeros[:size]}}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	testing.RegisterTestServiceServer(server, echo{})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(server.Serve(listener))
}
