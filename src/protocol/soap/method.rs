//! The operations of the services, and where each lives.

/// One web service of an update server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    ServerSync,
    DssAuth,
    Reporting,
}

impl Service {
    /// Path from the server's root, with the leading slash, in the letter case real servers write.
    pub const fn path(self) -> &'static str {
        match self {
            Self::ServerSync => "/ServerSyncWebService/ServerSyncWebService.asmx",
            Self::DssAuth => "/DssAuthWebService/DssAuthWebService.asmx",
            Self::Reporting => "/ReportingWebService/ReportingWebService.asmx",
        }
    }
}

const SYNC_NS: &str = "http://www.microsoft.com/SoftwareDistribution";
const AUTH_NS: &str = "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService";
const MONITOR_NS: &str = "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable";

macro_rules! methods {
    ($($name:ident $namespace:ident $service:ident,)*) => {
        /// Every operation of the three services, those we do not carry out included.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method { $($name),* }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Local name of the request element.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// Local name of the element that holds an answer.
            pub const fn response_name(self) -> &'static str {
                match self { $(Self::$name => concat!(stringify!($name), "Response")),* }
            }

            /// Local name of the element inside an answer that holds its result.
            pub const fn result_name(self) -> &'static str {
                match self { $(Self::$name => concat!(stringify!($name), "Result")),* }
            }

            /// Namespace of the request and of everything in it.
            pub const fn namespace(self) -> &'static str {
                match self { $(Self::$name => $namespace),* }
            }

            /// The service that carries it out. `Ping` exists on all three.
            pub const fn service(self) -> Service {
                match self { $(Self::$name => Service::$service),* }
            }
        }
    };
}

methods! {
    GetAuthConfig SYNC_NS ServerSync,
    GetAuthorizationCookie AUTH_NS DssAuth,
    GetCookie SYNC_NS ServerSync,
    GetConfigData SYNC_NS ServerSync,
    GetRevisionIdList SYNC_NS ServerSync,
    GetUpdateData SYNC_NS ServerSync,
    GetUpdateDecryptionData SYNC_NS ServerSync,
    DownloadFiles SYNC_NS ServerSync,
    GetDeployments SYNC_NS ServerSync,
    GetDriverIdList SYNC_NS ServerSync,
    GetDriverSetData SYNC_NS ServerSync,
    GetRelatedRevisionsForUpdates SYNC_NS ServerSync,
    GetRollupConfiguration SYNC_NS Reporting,
    RollupDownstreamServers SYNC_NS Reporting,
    RollupComputers SYNC_NS Reporting,
    GetOutOfSyncComputers SYNC_NS Reporting,
    RollupComputerStatus SYNC_NS Reporting,
    Ping MONITOR_NS ServerSync,
}

impl Method {
    /// The SOAPAction value, without quotes: namespace, slash, name.
    pub fn action(self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    /// The operation whose request element this is; `None` for any other element.
    pub fn of_element(namespace: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name && method.namespace() == namespace)
    }
}
