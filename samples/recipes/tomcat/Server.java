// GET / and /slow, POST /echo; it tells with which deploy it came.

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

public class Server extends HttpServlet {
    static final String DEPLOY = System.getenv().getOrDefault("ZDD_DEPLOY", "0");

    public static void main(String[] arguments) throws Exception {
        var connector = new Connector();
        connector.setProperty("unixDomainSocketPath", arguments[0]);
        connector.setProperty("acceptCount", "2048"); // connections that wait while the app stands still; 100 by default
        var tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("tomcat").toString());
        tomcat.setConnector(connector);
        var context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "all", new Server());
        context.addServletMappingDecoded("/*", "all");
        tomcat.start();
        tomcat.getServer().await();
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] body = request.getInputStream().readAllBytes();
        if (request.getMethod().equals("GET")) body = "hello\n".getBytes();
        if (request.getRequestURI().equals("/slow")) sleep();
        response.setHeader("X-Deploy", DEPLOY);
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    static void sleep() {
        try {
            Thread.sleep(500);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
