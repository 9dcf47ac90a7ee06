// Command peer is grpc-go's own test service behind a listener of this machine only, where the server that comes with
// grpc-go stands on every address; and it is grpc-go's own cases over TLS with certificates on both sides, for which the
// client that comes with it has no flag. One case to a process, as there.
//
// As a server it prints `stands on PORT` and stays until it is ended.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	"google.golang.org/grpc/interop"
	testing "google.golang.org/grpc/interop/grpc_testing"
)

var (
	serverHost = flag.String("server_host", "", "the server's host; without it this is the server")
	serverPort = flag.String("server_port", "", "the server's port")
	serverName = flag.String("server_host_override", "", "the name that the server must prove")
	testCase   = flag.String("test_case", "", "the case")
	port       = flag.String("port", "0", "the port of the server")
	useTLS     = flag.Bool("use_tls", false, "whether the server speaks TLS")
	caFile     = flag.String("ca_file", "", "the authority of the other side, a PEM file; without it the server asks for no certificate")
	certFile   = flag.String("tls_cert_file", "", "the certificate to show, a PEM file")
	keyFile    = flag.String("tls_key_file", "", "its key, a PEM file")
	accountKey = flag.String("service_account_key_file", "", "the service account, a JSON file")
	account    = flag.String("default_service_account", "", "the name of the machine's own account")
	scope      = flag.String("oauth_scope", "", "the scope that tokens are asked for")
	latency    = flag.Int("soak_per_iteration_max_acceptable_latency_ms", 1000, "how long one call of a soak case may take")
	overall    = flag.Int("soak_overall_timeout_seconds", 10, "how long all of them may take")
)

var cases = map[string]func(context.Context, testing.TestServiceClient, ...grpc.CallOption){
	"empty_unary":                 interop.DoEmptyUnaryCall,
	"large_unary":                 interop.DoLargeUnaryCall,
	"client_streaming":            interop.DoClientStreaming,
	"server_streaming":            interop.DoServerStreaming,
	"ping_pong":                   interop.DoPingPong,
	"empty_stream":                interop.DoEmptyStream,
	"timeout_on_sleeping_server":  interop.DoTimeoutOnSleepingServer,
	"cancel_after_begin":          interop.DoCancelAfterBegin,
	"cancel_after_first_response": interop.DoCancelAfterFirstResponse,
	"status_code_and_message":     interop.DoStatusCodeAndMessage,
	"special_status_message":      interop.DoSpecialStatusMessage,
	"custom_metadata":             interop.DoCustomMetadata,
}

func main() {
	flag.Parse()
	var err error
	if *serverHost == "" {
		err = serve()
	} else {
		err = call()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func certificates() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	if *caFile == "" {
		return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
	}
	authority, err := os.ReadFile(*caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("no certificate in --ca_file")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ServerName:   *serverName,
	}, nil
}

func serve() error {
	var options []grpc.ServerOption
	if *useTLS {
		settings, err := certificates()
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(settings)))
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", *port))
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	testing.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Printf("stands on %d\n", listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// call ends the process when the case does not pass, because the case itself does that.
func call() error {
	settings, err := certificates()
	if err != nil {
		return err
	}
	target := net.JoinHostPort(*serverHost, *serverPort)
	ctx := context.Background()
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(settings))}
	ofCalls, err := callCredentials(ctx)
	if err != nil {
		return err
	}
	if ofCalls != nil {
		options = append(options, grpc.WithPerRPCCredentials(ofCalls))
	}
	connection, err := grpc.NewClient(target, options...)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := testing.NewTestServiceClient(connection)
	switch *testCase {
	case "unimplemented_method":
		interop.DoUnimplementedMethod(ctx, connection)
	case "unimplemented_service":
		interop.DoUnimplementedService(ctx, testing.NewUnimplementedServiceClient(connection))
	case "pick_first_unary":
		interop.DoPickFirstUnary(ctx, client)
	case "rpc_soak":
		soak(ctx, target, func() (*grpc.ClientConn, func()) { return connection, func() {} })
	case "channel_soak":
		soak(ctx, target, func() (*grpc.ClientConn, func()) {
			fresh, err := grpc.NewClient(target, options...)
			if err != nil {
				log.Fatal(err)
			}
			return fresh, func() { fresh.Close() }
		})
	case "compute_engine_creds":
		interop.DoComputeEngineCreds(ctx, client, *account, *scope)
	case "service_account_creds":
		interop.DoServiceAccountCreds(ctx, client, *accountKey, *scope)
	case "jwt_token_creds":
		interop.DoJWTTokenCreds(ctx, client, *accountKey)
	case "oauth2_auth_token":
		interop.DoOauth2TokenCreds(ctx, client, *accountKey, *scope)
	case "per_rpc_creds":
		interop.DoPerRPCCreds(ctx, client, *accountKey, *scope)
	default:
		run, known := cases[*testCase]
		if !known {
			return fmt.Errorf("test case %q is not known", *testCase)
		}
		run(ctx, client)
	}
	return nil
}

// callCredentials gives what goes along with every call of a case; nothing for most.
func callCredentials(ctx context.Context) (credentials.PerRPCCredentials, error) {
	switch *testCase {
	case "compute_engine_creds":
		return oauth.NewComputeEngine(), nil
	case "service_account_creds":
		return oauth.NewServiceAccountFromFile(*accountKey, *scope)
	case "jwt_token_creds":
		return oauth.NewJWTAccessFromFile(*accountKey)
	case "oauth2_auth_token":
		token := interop.GetToken(ctx, *accountKey, *scope)
		return oauth.TokenSource{TokenSource: oauth2.StaticTokenSource(token)}, nil
	}
	return nil, nil
}

func soak(ctx context.Context, target string, channel func() (*grpc.ClientConn, func())) {
	longest := time.Duration(*overall) * time.Second
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	interop.DoSoakTest(ctx, interop.SoakTestConfig{
		RequestSize:                      271828,
		ResponseSize:                     314159,
		PerIterationMaxAcceptableLatency: time.Duration(*latency) * time.Millisecond,
		OverallTimeout:                   longest,
		ServerAddr:                       target,
		NumWorkers:                       1,
		Iterations:                       10,
		ChannelForTest:                   channel,
	})
}
