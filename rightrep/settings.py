"""One place for everything that is set from outside: ``RIGHTREP_*``, read once."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from rightrep.domain.roles import Role


class Settings(BaseSettings):
    """What the environment says; every default runs the demo.

    Only ``serving`` and ``training.retrain`` read it, and pass values on.
    """

    model_config = SettingsConfigDict(
        env_prefix="RIGHTREP_", env_file=".env", extra="ignore"
    )

    home: Path = Field(
        default=Path(".rightrep"),
        description="Folder of the embedded database, models and MLflow runs.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL (postgresql+psycopg://...); SQLite in `home` "
        "when it is not given.",
    )
    mlflow_tracking_uri: str | None = Field(
        default=None, description="MLflow server; embedded in `home` when not given."
    )
    log_comparisons: bool = Field(
        default=False, description="Log every `rightrep compare` to MLflow."
    )
    tenant: str = Field(
        default="default", description="Tenant that terminal commands act for."
    )

    oidc_issuer: str | None = Field(
        default=None,
        description="Address of the OpenID provider that people may sign in through.",
    )
    oidc_client_id: str | None = Field(
        default=None, description="Our id at the provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our secret at the provider, where it gave one."
    )
    oidc_role_claim: str | None = Field(
        default=None, description="Claim that `oidc_roles` looks at, such as `groups`."
    )
    oidc_roles: dict[str, Role] = Field(
        default_factory=dict,
        description="Role of whoever has this value in the claim; JSON.",
    )

    webhooks_allow_private: bool = Field(
        default=False,
        description="Let webhooks call private networks and plain http; for tests and "
        "installations inside one network.",
    )

    @property
    def store_url(self) -> str:
        """The database's URL, SQLite in ``home`` unless one was given."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'rightrep.db'}"

    @property
    def tracking_uri(self) -> str:
        """Where MLflow keeps its runs."""
        if self.mlflow_tracking_uri is not None:
            return self.mlflow_tracking_uri
        return f"sqlite:///{self.home.absolute() / 'mlflow.db'}"

    @property
    def models(self) -> Path:
        """Folder of published model files."""
        return self.home / "models"
